from pathlib import Path

import pytest

from tests.conftest import BuiltOnce
from tests.handlers.variants import build_dense


@pytest.fixture(scope="session")
def dense(built_once: BuiltOnce) -> Path:
    return built_once("dense", build_dense)
