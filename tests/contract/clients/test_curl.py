"""curl, as people ask by hand and as scripts do."""

import gzip
import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.serving.front_server import Front

CURL = shutil.which("curl") or ""
pytestmark = pytest.mark.skipif(not CURL, reason="there is no curl on the PATH")

TEXTS = ["a good film", "bad"]
TENSOR = {"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS}
INFER = "/v2/models/dense/infer"


def curl(url: str, path: str, *options: str) -> "subprocess.CompletedProcess[bytes]":
    command = [CURL, "--silent", "--show-error", "--noproxy", "*", *options, url + path]
    return subprocess.run(command, capture_output=True, check=False)


def answered(url: str, path: str, *options: str) -> Any:
    done = curl(url, path, "--fail-with-body", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def labels(answer: Any) -> list[str]:
    return next(one["data"] for one in answer["outputs"] if one["name"] == "label")


@pytest.fixture
def expected(server: Front) -> list[str]:
    return [one["label"] for one in server.ask(TEXTS).json()]


def test_it_is_told_what_is_ready(url: str) -> None:
    assert answered(url, "/ping")["ready"]
    assert answered(url, "/v2/health/ready")["ready"]
    assert answered(url, "/v2/models/dense")["name"] == "dense"
    head = curl(url, "/v2/models/dense/ready", "--head")
    assert head.stdout.startswith(b"HTTP/1.1 200 ")


def test_a_body_by_its_own_content_type_is_answered_by_v2(url: str, expected: list[str]) -> None:
    # curl's own content type is that of a form.
    assert labels(answered(url, INFER, "--data", json.dumps({"inputs": [TENSOR]}))) == expected
    assert labels(answered(url, INFER, "--json", json.dumps({"inputs": [TENSOR]}))) == expected


def test_invocations_are_answered_in_each_content_type(url: str, expected: list[str]) -> None:
    asked = json.dumps({"inputs": TEXTS})
    assert [one["label"] for one in answered(url, "/invocations", "--json", asked)] == expected
    table = curl(url, "/invocations", "--data-binary", "\n".join(TEXTS), "-H", "Content-Type: text/csv")
    assert [one["label"] for one in json.loads(table.stdout)] == expected
    chunked = ("--json", asked, "-H", "Transfer-Encoding: chunked")
    assert [one["label"] for one in answered(url, "/invocations", *chunked)] == expected


def test_binary_tensors_are_answered_from_a_file(url: str, expected: list[str], tmp_path: Path) -> None:
    raw = b"".join(struct.pack("<I", len(text)) + text.encode() for text in TEXTS)
    described = {**TENSOR, "parameters": {"binary_data_size": len(raw)}}
    del described["data"]
    head = json.dumps({"inputs": [described]}).encode()
    (tmp_path / "request").write_bytes(head + raw)
    length = ("-H", f"Inference-Header-Content-Length: {len(head)}")
    assert labels(answered(url, INFER, "--data-binary", f"@{tmp_path / 'request'}", *length)) == expected


def test_packed_requests_are_read_and_packed_answers_unpacked(url: str, expected: list[str], tmp_path: Path) -> None:
    many = TENSOR | {"shape": [200], "data": TEXTS * 100}
    (tmp_path / "request").write_bytes(gzip.compress(json.dumps({"inputs": [many]}).encode()))
    options = ("--data-binary", f"@{tmp_path / 'request'}", "-H", "Content-Encoding: gzip")
    assert labels(answered(url, INFER, *options, "--compressed")) == expected * 100
    packed = curl(url, INFER, *options, "-H", "Accept-Encoding: deflate", "--include")
    assert b"content-encoding: deflate" in packed.stdout


def test_a_large_body_that_waits_for_leave_to_be_sent_is_answered(url: str, tmp_path: Path) -> None:
    (tmp_path / "request").write_text(json.dumps({"inputs": "good " * 300_000}))
    options = ("--json", f"@{tmp_path / 'request'}", "-H", "Expect: 100-continue")
    assert len(answered(url, "/invocations", *options)) == 1


def test_a_refusal_is_an_exit_status_and_an_error(url: str) -> None:
    refused = curl(url, INFER, "--fail-with-body", "--data", "{}")
    assert refused.returncode == 22
    assert json.loads(refused.stdout)["type"] == "BadInput"
