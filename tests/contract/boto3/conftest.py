"""A variant that echoes, and no waiting between what boto3 tries again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.front.settings import VariantSpec
from tests.conftest import BuiltOnce
from tests.contract.boto3.clients import close_all
from tests.handlers.variants import shared_tiny, write_code
from tests.serving.front_server import spec

ECHO = """
def model_fn(model_dir):
    return model_dir.rsplit("/", 1)[-1]

def predict_fn(data, name):
    if data["inputs"] == "fail":
        raise RuntimeError("a secret of the model")
    return {"answered": data["inputs"], "by": name}
"""


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries are counted, not waited for."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


@pytest.fixture(scope="session")
def echoes(tmp_path_factory: pytest.TempPathFactory) -> list[VariantSpec]:
    folder = tmp_path_factory.mktemp("echoes")
    return [spec(write_code(folder / name, ECHO), "python") for name in ("blue", "green", "grey")]


@pytest.fixture(scope="session")
def dense(built_once: BuiltOnce) -> Path:
    return shared_tiny(built_once, "dense", "onnxruntime")
