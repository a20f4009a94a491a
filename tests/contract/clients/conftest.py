from collections.abc import Iterator

import pytest

from tests.conftest import BuiltOnce
from tests.contract.served import served
from tests.serving.front_server import Front


@pytest.fixture(scope="module")
def server(built_once: BuiltOnce, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with served(built_once, tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture
def url(server: Front) -> str:
    return str(server.http.base_url).rstrip("/")
