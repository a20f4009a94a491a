"""Every route of a real server with two variants: what it answers, and what it refuses, wherever its engines run."""

import json
import re
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from handlers.payloads.request import MAX_INPUTS
from serving.cpu_plan import make_plan, usable_cores
from tests.handlers.variants import opened
from tests.serving.front_server import Front, front, spec, until
from tests.tiny import VOCABULARY

MAX_BODY = 1_000_000
MAX_ROWS = 1_500
GOOD = {"inputs": "a good film"}


HOSTS = {
    "worker processes": "serving.front.worker_replica:worker_processes",
    "in process": "tests.serving.in_process:in_process",
}


@pytest.fixture(scope="module", params=list(HOSTS.values()), ids=list(HOSTS))
def server(request: pytest.FixtureRequest, dense: Path) -> Iterator[Front]:
    specs = [spec(dense), spec(dense, "openvino", "dense@openvino")]
    with front(
        specs, max_body_bytes=MAX_BODY, max_inputs=MAX_ROWS, queue_deadline_s=30.0, hosts=request.param
    ) as served:
        yield served


def test_an_engine_in_process_has_no_worker_process(server: Front, request: pytest.FixtureRequest) -> None:
    in_process = request.node.callspec.id == "in process"
    assert (set(server.worker_pids()) == {server.process.pid}) is in_process
    assert len(psutil.Process(server.process.pid).children()) == (0 if in_process else 2)


def tensor(*texts: str) -> dict[str, Any]:
    return {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}


def binary_request(*texts: str) -> tuple[bytes, dict[str, str]]:
    tail = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    size = {"binary_data_size": len(tail)}
    described = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "parameters": size}
    head = json.dumps({"inputs": [described], "outputs": [{"name": "logits", "parameters": {"binary_data": True}}]})
    return head.encode() + tail, {"Inference-Header-Content-Length": str(len(head))}


def test_ping_says_that_all_variants_are_ready(server: Front) -> None:
    for method in ("GET", "POST"):
        answer = server.http.request(method, "/ping")
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "not_ready": []})


def test_a_text_a_list_a_pair_and_top_k_are_answered_in_their_shapes(server: Front) -> None:
    (text,) = server.ask("a good film").json()
    assert text.keys() == {"label", "score"}
    assert [one["label"] for one in server.ask(["a good film"] * 2).json()] == [text["label"]] * 2
    assert server.ask({"text": "good", "text_pair": "bad"}).json().keys() == {"label", "score"}
    every = server.http.post("/invocations", json=GOOD | {"parameters": {"top_k": None}}).json()
    assert sum(one["score"] for one in every) == pytest.approx(1)
    assert every[0] == pytest.approx(text)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json; charset=utf-8", '{"inputs": ["a good film", "bad"]}'),
        ("application/jsonlines", '"a good film"\n{"text": "bad"}\n'),
        ("text/csv", "text\na good film\nbad\n"),
        ("", '{"inputs": ["a good film", "bad"]}'),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines", "text/csv;q=0.9, text/html"])
def test_every_content_type_is_read_and_written(server: Front, content_type: str, body: str, accept: str) -> None:
    headers = {"Accept": accept} | ({"Content-Type": content_type} if content_type else {})
    answer = server.http.post("/invocations", content=body.encode(), headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] in accept
    scores = [one["score"] for one in server.ask(["a good film", "bad"]).json()]
    assert [float(number) for number in re.findall(r"0\.\d+", answer.text)] == pytest.approx(scores)


def test_a_request_goes_to_the_variant_it_names_and_else_to_the_first(server: Front) -> None:
    for asked, answered in (("", "dense"), ("dense", "dense"), ("dense@openvino", "dense@openvino")):
        before = server.metric("requests_total", variant=answered, code="200")
        assert server.ask("good", asked).headers["x-amzn-invoked-production-variant"] == answered
        assert server.metric("requests_total", variant=answered, code="200") == before + 1


def test_v2_describes_the_server_and_its_models(server: Front) -> None:
    assert server.http.get("/v2").json()["extensions"] == ["binary_tensor_data", "model_configuration"]
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/dense/ready"):
        assert server.http.get(path).status_code == 200
    model = server.http.get("/v2/models/dense@openvino").json()
    assert (model["name"], model["platform"]) == ("dense@openvino", "paretoserve_openvino")
    assert [one["name"] for one in model["inputs"]] == ["text", "text_pair"]
    assert model["outputs"][2] == {"name": "logits", "datatype": "FP32", "shape": [-1, 2]}


@pytest.mark.parametrize("name", ["dense", "dense@openvino"])
def test_v2_infers_from_json(server: Front, name: str, dense: Path) -> None:
    request = {"id": "42", "inputs": [tensor("a good film", "bad")]}
    answer = server.http.post(f"/v2/models/{name}/infer", json=request).json()
    assert (answer["id"], answer["model_name"]) == ("42", name)
    outputs = {one["name"]: one["data"] for one in answer["outputs"]}
    assert np.reshape(outputs["logits"], (2, 2)) == pytest.approx(logits_of(dense, ["a good film", "bad"]), abs=1e-5)
    assert outputs["score"] == pytest.approx([one["score"] for one in server.ask(["a good film", "bad"]).json()])


def test_v2_infers_from_binary_tensors_and_answers_in_them(server: Front, dense: Path) -> None:
    body, headers = binary_request("a good film", "bad")
    answer = server.http.post("/v2/models/dense/infer", content=body, headers=headers)
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.content[:length])["outputs"]
    assert (output["shape"], output["parameters"]["binary_data_size"]) == ([2, 2], len(answer.content) - length)
    logits = np.frombuffer(answer.content[length:], "<f4").reshape(2, 2)
    assert logits == pytest.approx(logits_of(dense, ["a good film", "bad"]), abs=1e-5)


def test_variants_tells_what_is_loaded(server: Front) -> None:
    variants = server.variants()
    assert list(variants) == ["dense", "dense@openvino"]
    one = variants["dense@openvino"]
    assert (one["backend"], one["ready"], one["labels"]) == ("openvino", True, ["negative", "positive"])
    assert one["engine"]["executed_precision"] in ("f32", "float32")
    assert one["artifact"]["precision"] == "fp32"
    assert "2 workers of 1 stream" in one["cpu_plan"]
    assert one["artifact"]["files"].keys() == {"model.xml", "model.bin", "tokenizer.json"}
    assert sum(one["artifact"]["files"].values()) > one["artifact"]["bytes"] > 0
    assert one["engine"]["version"]
    assert one["engine"]["instruction_set"]
    cores = list(make_plan(usable_cores(), workers=2).known_cores)
    assert one["engine"]["placement"] == {"device": "cpu", "cores": cores, "streams": 1, "threads": 1}
    assert one["engine"]["operators"]["FullyConnected"] > 0
    assert one["engine"]["integer_operators"] == {}
    assert one["cost"]["per_token_s"] >= 0
    assert [worker["state"] for worker in one["workers"]] == ["ready"]
    assert one["workers"][0]["start_s"] >= one["workers"][0]["load_s"] > 0
    assert "golden" not in one


def test_metrics_count_what_was_done(server: Front) -> None:
    names = ("tokens_total", "batch_tokens_sum", "batch_requests_sum", "inference_duration_seconds_count")
    before = {name: server.metric(name, variant="dense") for name in names}
    server.ask(["a good film", "bad"])
    # Two texts of five and three tokens, in one call.
    expected = dict(zip(names, (8, 8, 1, 1), strict=True))
    until(lambda: server.metric("batch_requests_sum", variant="dense") > before["batch_requests_sum"])
    assert {name: server.metric(name, variant="dense") - before[name] for name in names} == expected
    assert server.metric("in_flight_requests") == 0
    assert server.metric("padding_tokens_total", variant="dense") == 0
    assert server.metric("worker_ready", variant="dense") == 1
    assert server.metric("model_load_seconds", variant="dense") > 0
    until(lambda: server.metric("worker_resident_memory_bytes", variant="dense") > 1e6)
    until(lambda: server.metric("worker_cpu_seconds_total", variant="dense") > 0)


def test_a_text_of_a_hundred_thousand_characters_is_cut_and_says_so(server: Front) -> None:
    answer = server.ask(["short", "good " * 20_000])
    assert (answer.status_code, answer.headers["x-paretoserve-truncated"]) == (200, "1")
    assert "x-paretoserve-truncated" not in server.ask("short").headers


def test_a_request_id_is_echoed_or_made(server: Front) -> None:
    assert server.ask("good", X_Request_Id="my-id").headers["x-request-id"] == "my-id"
    assert server.ask("", X_Request_Id="my-id").headers["x-request-id"] == "my-id"
    assert server.ask("good", X_Request_Id="x" * 1000).headers["x-request-id"] == "x" * 128
    made = {server.ask("good").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3


def test_without_an_id_of_its_own_a_request_has_that_of_its_trace(server: Front) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    traceparent = f"00-{trace_id}-00f067aa0ba902b7-01"
    headers = server.ask("good", traceparent=traceparent).headers
    assert (headers["x-request-id"], headers["traceparent"]) == (trace_id, traceparent)
    assert "traceparent" not in server.ask("good", traceparent="mine").headers


@pytest.mark.parametrize("path", ["/invocations", "/v2/models/dense/infer", "/v2/models/sparse/infer"])
def test_every_refusal_of_an_inference_route_tells_the_id(server: Front, path: str) -> None:
    headers = {"X-Request-Id": "my-id", "X-Amzn-SageMaker-Target-Variant": "sparse"}
    for method in ("POST", "DELETE"):
        answer = server.http.request(method, path, headers=headers)
        assert answer.status_code in (400, 404, 405)
        assert answer.headers["x-request-id"] == "my-id"


def test_a_variant_that_is_not_served_is_counted_and_its_name_is_no_label(server: Front) -> None:
    before = server.metric("requests_total", variant="unknown", code="404")
    assert server.ask("good", "a-name-of-the-client").status_code == 404
    assert server.http.post("/v2/models/a-name-of-the-client/infer", json={}).status_code == 404
    assert server.metric("requests_total", variant="unknown", code="404") == before + 2
    assert "a-name-of-the-client" not in server.http.get("/metrics").text


JSON_TYPE = {"Content-Type": "application/json"}
TO_UNKNOWN = {"X-Amzn-SageMaker-Target-Variant": "sparse"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status", "words"),
    [
        ("POST", "/invocations", {}, b"", 400, "The body is not JSON"),
        ("POST", "/invocations", {}, b"{", 400, "The body is not JSON"),
        ("POST", "/invocations", {}, b"\xff\xfe", 400, "The body is not JSON"),
        ("POST", "/invocations", {}, b"[" * 900_000, 413, f"more than {MAX_ROWS} inputs"),
        ("POST", "/invocations", {}, b"[" * 15_000, 400, "nested too deeply"),
        ("POST", "/invocations", {"Content-Type": "application/jsonlines"}, b"[" * 15_000, 400, "nested too deeply"),
        ("POST", "/invocations", {"Content-Type": "text/csv"}, b"a,b,c", 400, "3 fields"),
        ("POST", "/invocations", {}, b'{"inputs": [1]}', 400, '"inputs[0]" is a number'),
        ("POST", "/invocations", {}, b'{"inputs": ""}', 400, "is empty"),
        ("POST", "/invocations", {"Content-Encoding": "gzip"}, b"{}", 400, "not one whole gzip stream"),
        ("POST", "/invocations", {"Content-Encoding": "br"}, b"{}", 415, "Content-Encoding 'br' is not supported"),
        ("POST", "/invocations", TO_UNKNOWN, b"{}", 404, "choose one of dense, dense@openvino"),
        ("POST", "/invocations", {"Accept": "text/html"}, b'{"inputs": "good"}', 406, "accept one of application/json"),
        ("POST", "/invocations", {"Content-Type": "image/png"}, b"{}", 415, "send one of application/json"),
        ("POST", "/invocations", {}, b" " * (MAX_BODY + 1), 413, f"over the limit of {MAX_BODY} bytes"),
        ("GET", "/invocations", {}, b"", 405, "Method Not Allowed"),
        ("DELETE", "/ping", {}, b"", 405, "Method Not Allowed"),
        ("GET", "/v3", {}, b"", 404, "/v3"),
        ("GET", "/", {}, b"", 404, "Not Found"),
        ("GET", "/v2/models/sparse", {}, b"", 404, "choose one of dense"),
        ("GET", "/v2/models/sparse/ready", {}, b"", 404, "choose one of dense"),
        ("POST", "/v2/models/sparse/infer", {}, b"{}", 404, "choose one of dense"),
        ("GET", "/v2/models/dense/infer", {}, b"", 405, "Method Not Allowed"),
        ("POST", "/v2/models/dense/infer", {}, b"{}", 400, "not a V2 inference request"),
        ("POST", "/v2/models/dense/infer", {}, b'{"inputs": [{"data": ' + b"[" * 15_000, 400, "nested too deeply"),
        ("POST", "/v2/models/dense/infer", {"Inference-Header-Content-Length": "x"}, b"{}", 400, "whole number"),
        ("POST", "/v2/models/dense/infer", {"Inference-Header-Content-Length": "9" * 30}, b"{}", 400, "whole number"),
        ("POST", "/v2/models/dense/infer", {"Inference-Header-Content-Length": "3"}, b"{}", 400, "has 2 bytes only"),
    ],
)  # fmt: skip
def test_a_refusal_has_its_status_and_says_why_and_the_server_goes_on(
    server: Front, method: str, path: str, headers: dict[str, str], content: bytes, status: int, words: str
) -> None:
    answer = server.http.request(method, path, headers=headers, content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    told = answer.json()
    assert words in told["error"]
    assert told["type"]
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text
    assert server.ask("good").status_code == 200


def test_too_many_inputs_and_an_unknown_output_are_refused(server: Front) -> None:
    assert server.ask(["good"] * (MAX_ROWS + 1)).status_code == 413
    request = {"inputs": [tensor("good")], "outputs": [{"name": "probs"}]}
    assert server.http.post("/v2/models/dense/infer", json=request).status_code == 400


@pytest.mark.parametrize("kind", ["text/csv", "application/jsonlines"])
def test_the_thousands_of_rows_of_a_batch_transform_are_answered_with_a_line_each(server: Front, kind: str) -> None:
    texts = [f"{'good' if number % 3 else 'bad'} {'film ' * (number % 7)}".strip() for number in range(MAX_ROWS)]
    lines = texts if kind == "text/csv" else [json.dumps({"inputs": text}) for text in texts]
    headers = {"Content-Type": kind, "Accept": kind}

    def ask(rows: list[str]) -> list[str]:
        answer = server.http.post("/invocations", content="\n".join([*rows, ""]), headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        return answer.text.splitlines()

    answers = ask(lines)
    assert len(answers) == MAX_ROWS
    for number in (0, 1, 700, MAX_ROWS - 1):
        (alone,) = ask([lines[number]])
        assert label(alone) == label(answers[number])


def label(line: str) -> str:
    """What a line of CSV or JSON Lines says that the text is."""
    return str(json.loads(line)["label"]) if line.startswith("{") else line.partition(",")[0]


def test_a_body_without_a_length_is_refused_when_it_grows_too_large(server: Front) -> None:
    chunks = (b" " * 100_000 for _ in range(11))
    answer = server.http.post("/invocations", content=chunks)
    assert (answer.status_code, answer.json()["type"]) == (413, "TooLarge")
    small = (part for part in (b'{"inputs"', b': "good"}'))
    assert server.http.post("/invocations", content=small).status_code == 200


def test_the_largest_list_of_long_texts_is_answered(server: Front) -> None:
    answer = server.ask([f"good {'bad ' * 400}{i}" for i in range(MAX_INPUTS)])
    assert (answer.status_code, len(answer.json())) == (200, MAX_INPUTS)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /none HTTP/1.1\r\nHost: [\r\n\r\n", b"404"),
        (b"GET /%ff%00%f0 HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n", b"400"),
        (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", b"400"),
        (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n", b"413"),
        (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Request-Id: \xff\xfe\r\n\r\n{}", b"400"),
        (b"\x00\x01\x02\r\n\r\n", b"400"),
    ],
)
def test_bytes_that_no_library_would_send_are_answered(server: Front, request_bytes: bytes, status: bytes) -> None:
    with socket.create_connection(server.address) as client:
        client.sendall(request_bytes)
        assert client.recv(65536).split()[1] == status
    assert server.ask("good").status_code == 200


def test_a_client_that_leaves_in_the_middle_of_its_body_is_not_waited_for(server: Front) -> None:
    before = server.metric("requests_total", code="499")
    with socket.create_connection(server.address) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    until(lambda: server.metric("requests_total", code="499") == before + 1)
    assert server.metric("in_flight_requests") == 0


def logits_of(dense: Path, texts: list[str]) -> Any:
    handler = opened(dense, "torch")
    return np.concatenate([handler.infer([[handler.tokenizer(text)]]) for text in texts])


@pytest.mark.parametrize("variant", ["dense", "dense@openvino"])
def test_under_load_each_text_gets_the_answer_that_the_engine_gives_it_alone(
    server: Front, dense: Path, variant: str
) -> None:
    words = VOCABULARY[15:]
    texts = [" ".join(words[(i * 7 + k) % len(words)] for k in range(1 + i % 23)) for i in range(256)]

    def ask(text: str) -> httpx.Response:
        wishes = {"top_k": None, "function_to_apply": "none"}
        headers = {"X-Amzn-SageMaker-Target-Variant": variant}
        return server.http.post("/invocations", json={"inputs": text, "parameters": wishes}, headers=headers)

    batches = server.metric("inference_duration_seconds_count", variant=variant)
    with ThreadPoolExecutor(32) as clients:
        answers = [answer.json() for answer in clients.map(ask, texts)]
    scores = [{one["label"]: one["score"] for one in answer} for answer in answers]
    found = np.array([[one["negative"], one["positive"]] for one in scores])
    assert found == pytest.approx(logits_of(dense, texts), abs=1e-5)
    assert server.metric("inference_duration_seconds_count", variant=variant) - batches < len(texts), "none was batched"
