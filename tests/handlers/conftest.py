from pathlib import Path

import pytest

from handlers.tokens.tokenizer import TextTokenizer
from tests.handlers.variants import build_dense


@pytest.fixture(scope="session")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_dense(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def tokenizer(dense: Path) -> TextTokenizer:
    return TextTokenizer(dense / "tokenizer.json", 64)
