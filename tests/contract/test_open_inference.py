"""The Open Inference Protocol V2, rule by rule, over plain HTTP: the specification's REST part and the binary tensor
extension. Each rule is a row of the table in docs/serve.md."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from docs.generate import DOCS
from tests.conftest import BuiltOnce
from tests.contract.served import served
from tests.serving.front_server import Front, front, spec, until

TEXTS = ["a good film", "bad"]
MODEL = "/v2/models/dense"
TESTED: set[str] = set()


@pytest.fixture(scope="module")
def server(built_once: BuiltOnce, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with served(built_once, tmp_path_factory.mktemp("own")) as running:
        yield running


def rule(row: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of what this row of the table says."""
    TESTED.add(row)
    return lambda test: test


def tensor(texts: Any = TEXTS, name: str = "text", shape: list[int] | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(texts)], "datatype": "BYTES", "data": texts} | fields


def infer(server: Front, body: Any, model: str = MODEL, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.http.post(f"{model}/infer", content=content, headers=named)


def outputs_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {one["name"]: one["data"] for one in answer.json()["outputs"]}


def labels(server: Front, inputs: Any) -> list[str]:
    return [one["label"] for one in server.ask(inputs).json()]


def as_bytes(texts: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def binary(head: dict[str, Any], *parts: bytes) -> tuple[bytes, dict[str, str]]:
    """The body of a request with binary tensors, and the header that says where they begin."""
    written = json.dumps(head).encode()
    return written + b"".join(parts), {"Inference_Header_Content_Length": str(len(written))}


def binary_tensor(raw: bytes, shape: list[int], name: str = "text", datatype: str = "BYTES") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}


def parts_of(answer: httpx.Response) -> tuple[dict[str, Any], bytes]:
    """The JSON part, and what follows it."""
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    return json.loads(answer.content[:length]), answer.content[length:]


# The table


def rows_of_the_table() -> list[str]:
    section = (DOCS / "serve.md").read_text().split("## The Open Inference Protocol\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.split("|")[1].strip() for line in lines[2:]]


def test_every_row_of_the_table_is_tested_and_nothing_else_is() -> None:
    assert sorted(rows_of_the_table()) == sorted(TESTED)


# What the server and its models are


@rule("Health")
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"live": True, "ready": True}),
        (f"{MODEL}/ready", {"name": "dense", "ready": True}),
        (f"{MODEL}/versions/1/ready", {"name": "dense", "ready": True}),
    ],
)
def test_health_is_told_by_the_status_and_in_words(server: Front, path: str, said: dict[str, Any]) -> None:
    answer = server.http.get(path)
    assert (answer.status_code, answer.json()) == (200, said)


@rule("Server metadata")
@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_tells_its_name_its_version_and_its_extensions(server: Front, path: str) -> None:
    answer = server.http.get(path)
    assert answer.status_code == 200
    assert answer.json().keys() == {"name", "version", "extensions"}
    assert answer.json()["extensions"] == ["binary_tensor_data", "model_configuration"]


@rule("Model metadata")
@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
def test_a_model_tells_its_tensors(server: Front, path: str) -> None:
    told = server.http.get(path).json()
    assert (told["name"], told["versions"], told["platform"]) == ("dense", ["1"], "paretoserve_onnxruntime")
    assert told["inputs"] == [
        {"name": "text", "datatype": "BYTES", "shape": [-1]},
        {"name": "text_pair", "datatype": "BYTES", "shape": [-1], "parameters": {"optional": True}},
    ]
    assert told["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "score", "datatype": "FP32", "shape": [-1]},
        {"name": "logits", "datatype": "FP32", "shape": [-1, 2]},
    ]


@rule("Model metadata")
def test_what_is_promised_is_what_is_answered(server: Front) -> None:
    told = server.http.get(MODEL).json()
    answered = infer(server, {"inputs": [tensor()]}).json()["outputs"]
    for promised, output in zip(told["outputs"], answered, strict=True):
        assert (output["name"], output["datatype"]) == (promised["name"], promised["datatype"])
        assert output["shape"] == [len(TEXTS) if size == -1 else size for size in promised["shape"]]


@rule("Model metadata")
def test_while_a_model_loads_its_tensors_are_told_and_it_is_not_ready(server: Front, built_once: BuiltOnce) -> None:
    dense = built_once("never ready", broken_dense)
    with front([spec(dense, name="dense")], wait=False) as loading:
        until(lambda: loading.http.get(MODEL).status_code == 200)
        assert loading.http.get(MODEL).json() == server.http.get(MODEL).json()
        assert loading.http.get(f"{MODEL}/config").json() == server.http.get(f"{MODEL}/config").json()
        assert loading.http.get(f"{MODEL}/ready").json() == {"name": "dense", "ready": False}
        for path in (f"{MODEL}/ready", "/v2/health/ready"):
            assert loading.http.get(path).status_code == 503
        assert loading.http.get("/v2/health/live").status_code == 200
        refused = infer(loading, {"inputs": [tensor()]})
        assert (refused.status_code, refused.json()["type"]) == (503, "NotReady")


def broken_dense(folder: Path) -> Path:
    """A variant whose manifest can be read and whose model cannot: it is never ready."""
    from tests.handlers.variants import build_dense

    variant = build_dense(folder)
    (variant / "model.onnx").write_bytes(b"not a graph")
    return variant


@rule("Model metadata")
def test_what_a_users_own_model_takes_is_not_told_before_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "inference.py").write_text("def model_fn(model_dir):\n    raise OSError('no')\n")
    with front([spec(tmp_path, "python", name="own")], wait=False) as loading:
        answer = loading.http.get("/v2/models/own")
        assert (answer.status_code, answer.json()["type"]) == (503, "NotReady")
        assert int(answer.headers["retry-after"]) >= 1


@rule("Model configuration")
@pytest.mark.parametrize("path", [f"{MODEL}/config", f"{MODEL}/versions/1/config"])
def test_a_models_configuration_has_the_same_tensors(server: Front, path: str) -> None:
    told = server.http.get(path).json()
    assert (told["name"], told["max_batch_size"]) == ("dense", 0)
    assert told["input"] == [
        {"name": "text", "data_type": "TYPE_STRING", "dims": [-1]},
        {"name": "text_pair", "data_type": "TYPE_STRING", "dims": [-1], "optional": True},
    ]
    assert told["output"][2] == {"name": "logits", "data_type": "TYPE_FP32", "dims": [-1, 2]}


@rule("Versions")
def test_a_model_has_version_1_and_no_other(server: Front) -> None:
    answer = infer(server, {"inputs": [tensor()]}, f"{MODEL}/versions/1").json()
    assert answer["model_version"] == "1"
    assert answer == infer(server, {"inputs": [tensor()]}).json()
    for path in ("", "/ready", "/config"):
        refused = server.http.get(f"{MODEL}/versions/2{path}")
        assert (refused.status_code, refused.json()["type"]) == (404, "UnknownVersion")
    before = server.metric("requests_total", variant="dense", code="404")
    refused = infer(server, {"inputs": [tensor()]}, f"{MODEL}/versions/2")
    assert (refused.status_code, refused.json()["type"]) == (404, "UnknownVersion")
    assert server.metric("requests_total", variant="dense", code="404") == before + 1


# Requests


@rule("`Content-Type` and `Accept`")
@pytest.mark.parametrize(
    "headers",
    [{}, {"Content_Type": "application/json"}, {"Content_Type": "application/octet-stream"}, {"Accept": "text/html"}],
)
def test_no_header_is_needed_and_none_is_in_the_way(server: Front, headers: dict[str, str]) -> None:
    request = httpx.Request("POST", f"{server.http.base_url}{MODEL}/infer", content=json.dumps({"inputs": [tensor()]}))
    for name in ("accept", "accept-encoding", "user-agent"):
        request.headers.pop(name, None)
    request.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    assert outputs_of(server.http.send(request))["label"] == labels(server, TEXTS)


@rule("Inputs")
@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (TEXTS, [2]),
        (TEXTS, [2, 1]),
        ([[text] for text in TEXTS], [2, 1]),
        ([TEXTS], [1, 2]),
        ([[[text]] for text in TEXTS], [2, 1, 1]),
    ],
)
def test_texts_come_flat_or_nested(server: Front, data: Any, shape: list[int]) -> None:
    assert outputs_of(infer(server, {"inputs": [tensor(data, shape=shape)]}))["label"] == labels(server, TEXTS)


@rule("Inputs")
def test_pairs_are_two_inputs(server: Front) -> None:
    pairs = [{"text": text, "text_pair": "a dull plot"} for text in TEXTS]
    inputs = [tensor(["a dull plot"] * 2, "text_pair"), tensor()]
    scores = outputs_of(infer(server, {"inputs": inputs}))["score"]
    assert scores == pytest.approx([one["score"] for one in server.ask(pairs).json()], abs=1e-5)


@rule("Inputs")
def test_fields_that_are_null_are_not_set(server: Front) -> None:
    unset = {"id": None, "parameters": None, "outputs": None}
    answer = infer(server, unset | {"inputs": [tensor(parameters=None)]})
    assert outputs_of(answer).keys() == {"label", "score", "logits"}
    assert "id" not in answer.json()
    raw = as_bytes(TEXTS)
    body, headers = binary({"inputs": [binary_tensor(raw, [2]) | {"data": None}]}, raw)
    assert outputs_of(infer(server, body, **headers))["label"] == labels(server, TEXTS)


@rule("`id`")
@pytest.mark.parametrize("name", ["42", "", "ä\n"])
def test_the_id_is_repeated(server: Front, name: str) -> None:
    assert infer(server, {"id": name, "inputs": [tensor()]}).json()["id"] == name


@rule("Outputs")
def test_outputs_that_are_named_come_in_their_order_and_all_where_none_is(server: Front) -> None:
    wanted = [{"name": "logits"}, {"name": "label"}]
    assert list(outputs_of(infer(server, {"inputs": [tensor()], "outputs": wanted}))) == ["logits", "label"]
    every: list[dict[str, Any]] = [{}, {"outputs": []}, {"outputs": None}]
    for fields in every:
        assert list(outputs_of(infer(server, {"inputs": [tensor()]} | fields))) == ["label", "score", "logits"]


@rule("`parameters`")
def test_parameters_that_are_not_known_change_nothing(server: Front) -> None:
    told = {"priority": 1, "sequence_id": 7, "sequence_start": True, "own": "value", "number": 0.5}
    body = {"parameters": told, "inputs": [tensor(parameters={"content_type": "str"})]}
    assert infer(server, body).json() == infer(server, {"inputs": [tensor()]}).json()


@rule("`parameters`")
def test_a_timeout_that_passes_is_told(server: Front) -> None:
    refused = infer(server, {"parameters": {"timeout": 1}, "inputs": [tensor()]})
    assert (refused.status_code, refused.json()["type"]) == (504, "DeadlineExceeded")
    assert infer(server, {"parameters": {"timeout": 60_000_000}, "inputs": [tensor()]}).status_code == 200


@rule("`parameters`")
@pytest.mark.parametrize(
    ("parameters", "where"),
    [({"classification": 2}, "outputs"), ({"shared_memory_region": "r", "shared_memory_byte_size": 8}, "inputs")],
)
def test_extensions_that_are_not_offered_are_refused(server: Front, parameters: dict[str, Any], where: str) -> None:
    body: dict[str, Any] = {"inputs": [tensor()], "outputs": [{"name": "logits"}]}
    body[where][0]["parameters"] = parameters
    refused = infer(server, body)
    assert refused.status_code == 400
    assert "extension here" in refused.json()["error"]


# Binary tensors


@rule("Binary tensors")
def test_binary_requests_get_the_answers_that_json_gets(server: Front) -> None:
    raw, pairs = as_bytes(TEXTS), as_bytes(["ein schöner Film"] * 2)
    asked = {"inputs": [binary_tensor(raw, [2, 1]), binary_tensor(pairs, [2, 1], "text_pair")]}
    body, headers = binary(asked, raw, pairs)
    plain = [tensor(), tensor(["ein schöner Film"] * 2, "text_pair")]
    found, expected = (infer(server, body, **headers)), infer(server, {"inputs": plain})
    assert outputs_of(found)["logits"] == pytest.approx(outputs_of(expected)["logits"], abs=1e-5)


@rule("Binary tensors")
def test_all_outputs_in_binary_form_lie_end_to_end_in_their_order(server: Front) -> None:
    head, rest = parts_of(infer(server, {"inputs": [tensor()], "parameters": {"binary_data_output": True}}))
    assert not any("data" in one for one in head["outputs"])
    sizes = [one["parameters"]["binary_data_size"] for one in head["outputs"]]
    assert sum(sizes) == len(rest)
    expected = outputs_of(infer(server, {"inputs": [tensor()]}))
    assert rest[: sizes[0]] == as_bytes(expected["label"])
    numbers = np.frombuffer(rest[sizes[0] :], "<f4").tolist()
    assert numbers == pytest.approx(expected["score"] + expected["logits"], abs=1e-5)


@rule("Binary tensors")
def test_an_output_says_for_itself_in_which_form_it_comes(server: Front) -> None:
    raw = as_bytes(TEXTS)
    wanted = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "logits"}]
    asked = {"inputs": [binary_tensor(raw, [2])], "outputs": wanted, "parameters": {"binary_data_output": True}}
    body, headers = binary(asked, raw)
    head, rest = parts_of(infer(server, body, **headers))
    assert head["outputs"][0]["data"] == labels(server, TEXTS)
    assert head["outputs"][1]["parameters"] == {"binary_data_size": len(rest)} == {"binary_data_size": 16}


@rule("Binary tensors")
def test_json_and_binary_inputs_may_be_mixed(server: Front) -> None:
    raw = as_bytes(["a dull plot"] * 2)
    body, headers = binary({"inputs": [tensor(), binary_tensor(raw, [2], "text_pair")]}, raw)
    plain = {"inputs": [tensor(), tensor(["a dull plot"] * 2, "text_pair")]}
    found = outputs_of(infer(server, body, **headers))["logits"]
    assert found == pytest.approx(outputs_of(infer(server, plain))["logits"], abs=1e-5)


# Token tensors: what a user's own code declares


def ids(shape: list[int], data: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "input_ids", "shape": shape, "datatype": "INT64", "data": data} | fields


TOKENS = "/v2/models/tokens"


@rule("Token tensors")
def test_own_code_is_asked_as_its_metadata_says(server: Front) -> None:
    told = server.http.get(TOKENS).json()
    assert [(one["name"], one["datatype"], one["shape"]) for one in told["inputs"]] == [
        ("input_ids", "INT64", [-1, -1]),
        ("mask", "BOOL", [-1, -1]),
    ]
    assert [one["name"] for one in told["outputs"]] == ["sums", "words"]
    answer = infer(server, {"inputs": [ids([2, 3], [1, 2, 3, 4, 5, 6])]}, TOKENS).json()
    assert answer["outputs"] == [
        {"name": "sums", "datatype": "FP32", "shape": [2, 1], "data": [6.0, 15.0]},
        {"name": "words", "datatype": "BYTES", "shape": [2], "data": ["3 tokens", "3 tokens"]},
    ]


@rule("Token tensors")
def test_tokens_come_flat_nested_or_in_binary_form(server: Front) -> None:
    raw, mask = np.arange(1, 7, dtype="<i8").tobytes(), b"\x01\x01\x00" * 2
    asked = {"inputs": [binary_tensor(raw, [2, 3], "input_ids", "INT64"), binary_tensor(mask, [2, 3], "mask", "BOOL")]}
    body, headers = binary(asked, raw, mask)
    assert outputs_of(infer(server, body, TOKENS, **headers))["sums"] == [3.0, 9.0]
    nested = {"name": "mask", "shape": [2, 3], "datatype": "BOOL", "data": [[True, True, False]] * 2}
    answer = infer(server, {"inputs": [ids([2, 3], [[1, 2, 3], [4, 5, 6]]), nested]}, TOKENS)
    assert outputs_of(answer)["sums"] == [3.0, 9.0]
    wanted = {"inputs": [ids([1, 2], [3, 4])], "outputs": [{"name": "sums", "parameters": {"binary_data": True}}]}
    _, rest = parts_of(infer(server, wanted, TOKENS))
    assert np.frombuffer(rest, "<f4").tolist() == [7.0]


@rule("Token tensors")
@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "Send each of the inputs once"),
        ([tensor()], "Send each of the inputs once"),
        ([ids([2], [1, 2])], "send INT64 of shape [-1, -1]"),
        ([ids([1, 2], [1, 2], datatype="INT32")], "send INT64 of shape"),
        ([ids([1, 3], [1, 2])], "no tensor of INT64 in the shape [1, 3]"),
        ([ids([2, 1], [[1, 2]])], "has the shape [1, 2], not [2, 1]"),
        ([ids([2, 2], [[1, 2], [3]])], "no tensor of INT64"),
        ([ids([1, 2], [1, "2"])], "no tensor of INT64"),
        ([ids([1, 2], [1, 2.5])], "no tensor of INT64"),
        ([ids([1, 2], [1, True])], "no tensor of INT64"),
        ([ids([1, 2], [1, 2**64])], "no tensor of INT64"),
        ([ids([1] * 8, [1])], "send INT64 of shape [-1, -1]"),
    ],
)
def test_other_tensors_than_those_are_refused(server: Front, inputs: Any, words: str) -> None:
    refused = infer(server, {"inputs": inputs}, TOKENS)
    assert (refused.status_code, refused.json()["type"]) == (400, "BadInput")
    assert words in refused.json()["error"]


@rule("Token tensors")
def test_own_code_that_declares_nothing_advertises_nothing(server: Front) -> None:
    told = server.http.get("/v2/models/arrays").json()
    assert (told["inputs"], told["outputs"]) == ([], [])
    refused = infer(server, {"inputs": [tensor()]}, "/v2/models/arrays")
    assert refused.status_code == 400
    assert "V2_INPUTS" in refused.json()["error"]


# Compression


@rule("Compression")
@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_request_is_read_with_its_binary_tensors(
    server: Front, name: str, pack: Callable[[bytes], bytes]
) -> None:
    raw = as_bytes(TEXTS)
    body, headers = binary({"inputs": [binary_tensor(raw, [2])]}, raw)
    answer = infer(server, pack(body), Content_Encoding=name, **headers)
    assert outputs_of(answer)["label"] == labels(server, TEXTS)


@rule("Compression")
@pytest.mark.parametrize(
    ("accept", "packed"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("gzip;q=0.5, deflate", "deflate"),
        ("*", "gzip"),
        ("br", None),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=x", None),
    ],
)
def test_a_large_answer_is_packed_as_its_client_likes_it(server: Front, accept: str, packed: str | None) -> None:
    request = {"inputs": [tensor(TEXTS * 50)]}
    plain = infer(server, request, Accept_Encoding="identity")
    answer = infer(server, request, Accept_Encoding=accept)
    assert answer.headers.get("content-encoding") == packed
    assert (int(answer.headers["content-length"]) < len(plain.content)) is (packed is not None)
    assert outputs_of(answer)["label"] == outputs_of(plain)["label"]


@rule("Compression")
def test_of_a_packed_binary_answer_the_header_states_the_length_before_packing(server: Front) -> None:
    request = {"inputs": [tensor(TEXTS * 100)], "parameters": {"binary_data_output": True}}
    answer = infer(server, request, Accept_Encoding="deflate")
    assert answer.headers["content-encoding"] == "deflate"
    head, rest = parts_of(answer)
    assert sum(one["parameters"]["binary_data_size"] for one in head["outputs"]) == len(rest)


@rule("Compression")
def test_a_small_answer_is_not_packed_nor_is_an_error(server: Front) -> None:
    for body in ({"inputs": [tensor()]}, {"inputs": [tensor(name="x" * 250)]}):
        assert "content-encoding" not in infer(server, body, Accept_Encoding="gzip").headers


# Errors


@rule("Errors")
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{MODEL}/infer", b"", 400),
        ("POST", f"{MODEL}/infer", b"{}", 400),
        ("POST", f"{MODEL}/infer", b'{"inputs": []}', 400),
        ("POST", f"{MODEL}/infer", b'{"id": 7, "inputs": []}', 400),
        ("POST", f"{MODEL}/infer", json.dumps({"inputs": [tensor(shape=[3])]}).encode(), 400),
        ("POST", f"{MODEL}/infer", json.dumps({"inputs": [tensor()], "outputs": [{"name": "x"}]}).encode(), 400),
        ("POST", "/v2/models/no-such-model/infer", b"{}", 404),
        ("GET", "/v2/models/no-such-model", b"", 404),
        ("GET", "/v2/models/no-such-model/ready", b"", 404),
        ("GET", f"{MODEL}/infer", b"", 405),
        ("GET", f"{MODEL}/stats", b"", 404),
        ("POST", "/v2/repository/index", b"", 404),
        ("GET", "/v2/models", b"", 404),
    ],
)
def test_an_error_is_a_status_and_an_object_with_error(
    server: Front, method: str, path: str, body: bytes, status: int
) -> None:
    refused = server.http.request(method, path, content=body)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/json")
    assert isinstance(refused.json()["error"], str)
    assert "Traceback" not in refused.text
