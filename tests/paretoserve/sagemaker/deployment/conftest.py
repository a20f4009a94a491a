"""What the tests of deployments share."""

from collections.abc import Iterator

import pytest

from tests.paretoserve.sagemaker.deployment.account import Account, account_of_moto


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with account_of_moto(monkeypatch) as made:
        yield made
