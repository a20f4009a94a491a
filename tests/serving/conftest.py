from pathlib import Path

import pytest

from tests.handlers.variants import build_dense


@pytest.fixture(scope="session")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_dense(tmp_path_factory.mktemp("model"))
