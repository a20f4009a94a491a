"""boto3's TargetModel, against a container that loads models by SageMaker's API of multi-model endpoints."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.boto3.clients import BODY, attempts, runtime
from tests.paretoserve.sagemaker.emulator.emulated import Asked, Handler, emulated, endpoint, scripted
from tests.serving.front_server import until


class Models:
    """Holds `room` models at once. A load waits for `gate`."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.loaded: dict[str, str] = {}
        self.calls: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, asked: Asked, handler: Handler) -> None:
        parts = asked.path.split("/")
        match asked.method, parts[2:]:
            case "POST", []:
                told = json.loads(asked.body)
                self.calls.append(f"load {Path(told['url']).name}")
                self.gate.wait()
                if len(self.loaded) >= self.room:
                    handler.reply(507, {"code": 507, "type": "InsufficientMemoryException", "message": "no room"})
                    return
                self.loaded[told["model_name"]] = Path(told["url"]).name
                handler.reply(200, {})
            case "DELETE", [name]:
                self.calls.append(f"unload {self.loaded.pop(name)}")
                handler.reply(200, {})
            case "POST", [name, "invoke"] if name in self.loaded:
                handler.reply(200, self.loaded[name].encode())
            case _:
                handler.reply(404, {"code": 404, "type": "ModelNotFoundException", "message": "not found"})


@contextmanager
def _endpoint(models: Models, folder: Path, **more: Any) -> Iterator[str]:
    for name in ("a", "b", "c"):
        (folder / "models" / name).mkdir(parents=True)
    (folder / "outside").mkdir()
    described = endpoint(["AllTraffic"], kind="multi-model", models=str(folder / "models"), **more)
    with scripted(models.answer) as container, emulated(described, container.url) as url:
        yield url


def _asked(url: str, model: str) -> bytes:
    content: bytes = runtime(url).invoke_endpoint(EndpointName="local", Body=BODY, TargetModel=model)["Body"].read()
    return content


def _original_status(error: Any) -> Any:
    return error.response["OriginalStatusCode"]


def test_a_model_is_loaded_on_first_use_and_the_one_used_longest_ago_makes_room(tmp_path: Path) -> None:
    models = Models(room=2)
    with _endpoint(models, tmp_path) as url:
        assert [_asked(url, name) for name in ("a.tar.gz", "b", "a.tar.gz", "c.tar.gz")] == [b"a", b"b", b"a", b"c"]
    # What it has no room for is tried again once another one is gone.
    assert models.calls == ["load a", "load b", "load c", "unload b", "load c"]


def test_many_who_ask_for_a_model_have_it_loaded_once(tmp_path: Path) -> None:
    models = Models(room=1)
    models.gate.clear()
    with _endpoint(models, tmp_path) as url, ThreadPoolExecutor() as threads:
        waiting = [threads.submit(_asked, url, "a") for _ in range(4)]
        until(lambda: models.calls)
        models.gate.set()
        assert [one.result() for one in waiting] == [b"a"] * 4
    assert models.calls == ["load a"]


def test_a_model_that_the_container_has_lost_is_loaded_again(tmp_path: Path) -> None:
    models = Models(room=1)
    with _endpoint(models, tmp_path) as url:
        assert _asked(url, "a") == b"a"
        models.loaded.clear()
        with pytest.raises(ClientError) as caught:
            _asked(url, "a")
        assert _original_status(caught.value) == 404
        assert _asked(url, "a") == b"a"


def test_a_model_that_loads_for_too_long_is_not_ready(tmp_path: Path) -> None:
    models = Models(room=1)
    models.gate.clear()
    with _endpoint(models, tmp_path, timeout_s=0.3) as url:
        with pytest.raises(ClientError) as caught:
            runtime(url, retries={"mode": "standard"}).invoke_endpoint(EndpointName="local", Body=BODY, TargetModel="a")
        models.gate.set()
        until(lambda: models.loaded)
        assert _asked(url, "a") == b"a"
    assert caught.value.response["Error"]["Code"] == "ModelNotReadyException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert attempts(caught.value) == 1


def test_a_container_without_room_for_any_model_says_so(tmp_path: Path) -> None:
    with _endpoint(Models(room=0), tmp_path) as url, pytest.raises(ClientError) as caught:
        _asked(url, "a")
    assert caught.value.response["Error"]["Code"] == "ModelError"
    assert _original_status(caught.value) == 507


@pytest.mark.parametrize("model", ["d", "../outside", "/etc", "a/../../outside.tar.gz", "."])
def test_a_model_that_is_not_in_the_folder_is_a_validation_error(tmp_path: Path, model: str) -> None:
    with _endpoint(Models(room=1), tmp_path) as url, pytest.raises(ClientError, match="Failed to download") as caught:
        _asked(url, model)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_without_a_target_model_nobody_knows_which(tmp_path: Path) -> None:
    with _endpoint(Models(room=1), tmp_path) as url, pytest.raises(ClientError, match="give TargetModel"):
        runtime(url).invoke_endpoint(EndpointName="local", Body=BODY)
