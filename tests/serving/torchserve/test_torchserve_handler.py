"""What runs inside TorchServe, and what the bridge reads, each without a TorchServe."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from handlers.payloads.request import Limits
from model_store.errors import DamagedArtifact, GoldenMismatch
from model_store.manifest import read_manifest
from serving.torchserve import handler, rehearsal
from serving.torchserve.archive import archive_files
from serving.torchserve.client import Connection, Response
from serving.torchserve.envelope import (
    ASK,
    INTRODUCE,
    HandlerConfig,
    decode_introduction,
)
from serving.torchserve.handler import handle, load
from serving.wire.messages import Failed, Reply
from tests.handlers.variants import copy_of


class Headers:
    """TorchServe's context, as far as the handler asks it."""

    def __init__(self, archive: Path, *of_requests: dict[str, str]) -> None:
        self.system_properties: dict[str, Any] = {"model_dir": str(archive)}
        self.of_answers: list[dict[str, str]] = [{"status": "200"} for _ in of_requests]
        self._of_requests = of_requests

    def get_all_request_header(self, idx: int) -> dict[str, Any]:
        return self._of_requests[idx]

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.of_answers[idx]["status"] = str(code)

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.of_answers[idx]["content-type"] = value

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.of_answers[idx][key.lower()] = value


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler's module as it is in a fresh process, and the log of this one left alone."""
    monkeypatch.setattr(handler, "_served", None)
    monkeypatch.setattr(handler, "configure_logs", lambda *_: None)


def archive_of(folder: Path, variant: Path, **config: Any) -> Path:
    told = HandlerConfig(backend="torch", variant_dir=str(variant), threads=1, **config)
    for name, content in archive_files("variant", told).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_any_client_of_torchserve_is_answered_as_at_invocations(served: None, dense: Path, tmp_path: Path) -> None:
    csv, json_ = {"Content-Type": "text/csv", "Accept": "text/csv"}, {"content-type": "application/json"}
    context = Headers(archive_of(tmp_path, dense), csv, json_, json_)
    assert handle(None, context) == []
    bodies = (b"great", b"{", json.dumps({"inputs": "very " * 100}).encode())
    rows, refusal, answer = handle([{"body": bytearray(body)} for body in bodies], context)
    assert rows.startswith(b"positive,")
    assert json.loads(refusal)["type"] == "BadInput"
    assert json.loads(answer)[0]["label"] == "positive"
    assert [one["status"] for one in context.of_answers] == ["200", "400", "200"]
    assert [one["content-type"] for one in context.of_answers] == ["text/csv", *["application/json"] * 2]
    assert context.of_answers[2]["x-paretoserve-truncated"] == "0"


def test_a_request_may_hold_as_many_texts_as_the_archive_says(served: None, dense: Path, tmp_path: Path) -> None:
    csv = {"content-type": "text/csv", "accept": "text/csv"}
    context = Headers(archive_of(tmp_path, dense, limits=Limits(max_inputs=300)), csv, csv)
    handle(None, context)
    rows, refusal = handle([{"body": b"great\n" * count} for count in (300, 301)], context)
    assert len(rows.splitlines()) == 300
    assert json.loads(refusal)["type"] == "TooLarge"


def test_only_a_bridge_is_understood_in_the_envelope(served: None, dense: Path, tmp_path: Path) -> None:
    context = Headers(archive_of(tmp_path, dense), {"content-type": ASK}, {"content-type": INTRODUCE})
    handle(None, context)
    answers = handle([{"body": b"x"}, {"body": b""}], context)
    assert [json.loads(answer)["type"] for answer in answers] == ["UnsupportedMediaType"] * 2
    assert [one["status"] for one in context.of_answers] == ["415", "415"]


def damaged(dense: Path, folder: Path) -> Path:
    (copy_of(dense, folder) / "model.safetensors").write_bytes(b"")
    return folder


def test_what_cannot_be_loaded_is_told_to_a_bridge_and_raised_without_one(
    served: None, dense: Path, tmp_path: Path
) -> None:
    variant = damaged(dense, tmp_path / "damaged")
    with pytest.raises(DamagedArtifact):
        load(archive_of(tmp_path / "alone", variant))
    context = Headers(archive_of(tmp_path / "bridged", variant, black_box="/dev/null"), {"content-type": INTRODUCE})
    (body,) = handle([{"body": b""}], context)
    introduction = decode_introduction(body)
    assert isinstance(introduction.outcome, Failed)
    assert introduction.outcome.error == "DamagedArtifact"
    assert introduction.pid == os.getpid()


def test_a_golden_input_that_is_answered_otherwise_is_told_with_both_answers(dense: Path) -> None:
    manifest = read_manifest(dense)
    body, logits = next(rehearsal.golden(manifest, "torch"))
    assert json.loads(body)["inputs"][0]["data"] == [manifest.golden[0].text]
    artifact = manifest.artifacts["torch"]
    answer = Reply(0, json.dumps({"outputs": [{"data": logits}]}).encode())
    rehearsal.check(answer, logits, artifact)
    with pytest.raises(GoldenMismatch, match=r"should give \[.* and gives \["):
        rehearsal.check(answer, [logit + 0.1 for logit in logits], artifact)


def test_an_answer_that_comes_in_pieces_is_put_together() -> None:
    responses: list[Response | None] = []
    connection = Connection(lambda _, response: responses.append(response))
    for _ in range(2):
        for piece in (b"HTTP/1.1 200 \r\nx: y\r\nConte", b"nt-Length: 4\r\n\r", b"\nab", b"cd"):
            assert len(responses) < 2
            connection.data_received(piece)
    connection.connection_lost(None)
    assert responses == [Response(200, b"abcd"), Response(200, b"abcd"), None]
