"""What holds for all tests."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_environments_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Which interpreter runs a backend must not depend on what whoever runs the tests has made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSERVE_ENVS", str(tmp_path_factory.mktemp("no-environments")))
        yield
