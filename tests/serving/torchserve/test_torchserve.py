"""TorchServe behind our front: the same answers, and the same promises when it is full, ended or told to stop."""

import json
import os
import re
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from serving.front.settings import VariantSpec
from tests.handlers.variants import copy_of, write_code
from tests.serving.front_server import Front, front, is_not_ready, spec, until, until_gone
from tests.torchserve import torchserve_python

MAX_QUEUE = 12

# The environment may have to be made first.
pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

# Decoding a request that says "wait", the handler is held for as long as somebody else has the FIFO open.
GATE = """
from pathlib import Path
from handlers.payloads import codecs

def input_fn(body, content_type):
    raw = body.encode() if isinstance(body, str) else body
    if b"wait" in raw:
        (Path(__file__).parents[1] / "gate").read_text()
    return codecs.decode(raw, content_type)
"""


@pytest.fixture(scope="module")
def gated(dense: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_code(copy_of(dense, tmp_path_factory.mktemp("torchserve") / "gated"), GATE)
    os.mkfifo(folder / "gate")
    return folder


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bridge makes its private folder; short, because sockets lie in it."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of another server, with a temporary folder of its own."""
    return {"TMPDIR": str(tmp_path_factory.mktemp("t"))}


def on_torchserve(folder: Path) -> VariantSpec:
    return VariantSpec("bridged", folder, "torchserve", str(torchserve_python()))


@pytest.fixture(scope="module")
def running(gated: Path, temporary: Path) -> Iterator[Front]:
    """One variant twice: in TorchServe, and in a worker of ours."""
    specs = [on_torchserve(gated), spec(gated, "torch", "own")]
    with front(specs, max_queue=MAX_QUEUE, max_inputs=300, env={"TMPDIR": str(temporary)}) as server:
        yield server


@pytest.fixture
def server(running: Front) -> Front:
    until(running.is_ready)
    return running


@contextmanager
def held(server: Front, folder: Path, why: str = "a while") -> Iterator[Any]:
    """TorchServe's handler waits until the block ends; yields the answer to the request that it waits with."""
    waiting = server.asking(f"wait {why}")
    with (folder / "gate").open("w"):  # returns once the handler reads it
        yield waiting


def waiting_in_torchserve(temporary: Path) -> int:
    """Requests in TorchServe's own queue."""
    (folder,) = temporary.glob("torchserve-*")
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(folder / "management"))) as http:
        (model,) = http.get("http://torchserve/models/variant").json()
    pending: int = model["jobQueueStatus"]["pendingRequests"]
    return pending


def processes_of(server: Front) -> dict[str, psutil.Process]:
    bridge = psutil.Process(server.variants()["bridged"]["workers"][0]["pid"])
    (java,) = (child for child in bridge.children() if "java" in child.name())
    (python,) = java.children()
    return {"bridge": bridge, "java": java, "python": python}


# The same answers


def both(server: Front, path: str, body: bytes, **headers: str) -> list[httpx.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [
        server.http.post(path.format(name), content=body, headers={**named, "X-Amzn-SageMaker-Target-Variant": name})
        for name in ("bridged", "own")
    ]


def numbers_apart(text: str) -> tuple[str, list[float]]:
    """A text with its decimal numbers taken out, and those."""
    number = r"-?\d+\.\d+(?:e-?\d+)?"
    return re.sub(number, "number", text), [float(one) for one in re.findall(number, text)]


def assert_alike(bridged: httpx.Response, own: httpx.Response) -> None:
    assert bridged.status_code == own.status_code
    assert bridged.headers["content-type"] == own.headers["content-type"]
    (found, numbers), (expected, same_numbers) = (
        numbers_apart(one.text.replace("bridged", "own")) for one in (bridged, own)
    )
    assert found == expected
    assert numbers == pytest.approx(same_numbers, abs=1e-5)


PAIR = {"text": "the film is good .", "text_pair": "it was dull"}


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": "a charming film"},
        {"inputs": ["great", "a sad story with a great actor", "the plot is slow , bleak and dull"]},
        {"inputs": PAIR, "parameters": {"top_k": None}},
        {"inputs": ["great"] * 40, "parameters": {"function_to_apply": "none", "top_k": 2}},
        {"inputs": "very " * 100},
        {"inputs": ["great"] * 300},
    ],
    ids=["text", "texts", "pair", "more than a call", "cut", "as many as the setting allows"],
)
def test_answers_are_those_of_our_own_worker(server: Front, body: dict[str, Any]) -> None:
    bridged, own = both(server, "/invocations", json.dumps(body).encode(), content_type="application/json")
    assert bridged.status_code == 200
    assert_alike(bridged, own)
    assert bridged.headers.get("x-paretoserve-truncated") == own.headers.get("x-paretoserve-truncated")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"great\na sad story\n", {"content_type": "text/csv", "accept": "text/csv"}),
        (b'{"inputs": "great"}', {"content_type": "application/json", "accept": "image/png"}),
        (b"<inputs/>", {"content_type": "application/xml"}),
        (b"inputs=great", {"content_type": "application/x-www-form-urlencoded"}),
        (b"{", {"content_type": "application/json"}),
        (b'{"nothing": 1}', {"content_type": "application/json"}),
        (b"", {"content_type": "application/json"}),
    ],
    ids=["CSV", "not acceptable", "XML", "a form", "no JSON", "no inputs", "empty"],
)
def test_other_formats_and_refusals_are_those_of_our_own_worker(
    server: Front, body: bytes, headers: dict[str, str]
) -> None:
    assert_alike(*both(server, "/invocations", body, **headers))


def test_v2_is_answered_alike_in_json_and_in_binary(server: Front) -> None:
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["great", "a dull plot"]}
    body = json.dumps({"inputs": [tensor], "id": "7"}).encode()
    bridged, own = both(server, "/v2/models/{}/infer", body)
    assert bridged.json()["model_name"] == "bridged"
    assert_alike(bridged, own)

    raw = b"".join(struct.pack("<I", len(text)) + text for text in (b"great", b"a dull plot"))
    described = {"name": "text", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    wanted = [{"name": "logits", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [described], "outputs": wanted}).encode()
    answers = both(server, "/v2/models/{}/infer", head + raw, inference_header_content_length=str(len(head)))
    found, expected = (floats_after_the_head(answer) for answer in answers)
    assert found == pytest.approx(expected, abs=1e-5)
    assert len(found) == 4


def floats_after_the_head(answer: httpx.Response) -> list[float]:
    assert answer.status_code == 200
    raw = answer.content[int(answer.headers["inference-header-content-length"]) :]
    return [number for (number,) in struct.iter_unpack("<f", raw)]


def test_a_request_that_cannot_be_read_does_not_harm_those_of_its_batch(
    server: Front, gated: Path, temporary: Path
) -> None:
    with held(server, gated) as first:
        # Only now have all calls of earlier tests been counted.
        batches, requests = (server.metric(f"batch_requests_{kind}", variant="bridged") for kind in ("count", "sum"))
        bodies: list[Any] = ["great", {"text": 1}, "a dull plot", ["great", None], "a sad story"]
        answers = [server.asking(inputs, "bridged") for inputs in bodies]
        until(lambda: waiting_in_torchserve(temporary) == len(bodies))
    assert first.result().status_code == 200
    assert [answer.result().status_code for answer in answers] == [200, 400, 200, 400, 200]
    # The three that could be read, and the one that had waited, took two calls.
    until(lambda: server.metric("batch_requests_count", variant="bridged") == batches + 2)
    assert server.metric("batch_requests_sum", variant="bridged") == requests + 4


# What the front tells


def test_variants_and_metrics_tell_of_torchserve(server: Front) -> None:
    facts = server.variants()["bridged"]
    engine = facts["engine"]
    assert (facts["backend"], engine["engine"], engine["version"]) == ("torchserve", "torchserve", "0.12.0")
    assert engine["executed_precision"] == "float32"
    assert engine["details"]["engine"].startswith("torch 2.")
    assert facts["artifact"]["file"] == "model.safetensors"
    assert facts["cost"]["base_s"] > 0
    assert server.ask("great", "bridged").status_code == 200
    for name in ("tokens_total", "requests_total", "inference_duration_seconds_sum", "queue_duration_seconds_sum"):
        assert server.metric(name, variant="bridged", backend="torchserve") > 0
    until(lambda: server.metric("worker_cpu_seconds_total", variant="bridged") > 0)
    whole = sum(process.memory_info().rss for process in processes_of(server).values())
    assert server.metric("worker_resident_memory_bytes", variant="bridged") > whole / 2


def test_where_the_time_went_is_told_with_the_way_through_torchserve(server: Front) -> None:
    header = server.ask(["great", "bad"], "bridged").headers["server-timing"]
    told = {name: float(ms) for name, ms in (part.split(";dur=") for part in header.split(", "))}
    phases = [told[name] for name in ("tokenize", "queue", "batch", "infer", "encode")]
    assert min(phases) > 0
    assert sum(phases) == pytest.approx(told["worker"], abs=0.005)
    assert told["worker"] <= told["total"]


def test_nobody_but_us_can_reach_it(server: Front, temporary: Path) -> None:
    (folder,) = temporary.glob("torchserve-*")
    assert folder.stat().st_mode & 0o077 == 0
    listening = [one for one in processes_of(server)["java"].net_connections("tcp") if one.status == "LISTEN"]
    assert {one.laddr.ip for one in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert len(listening) == 2  # gRPC cannot be turned off


# Overload and deadlines


def test_when_it_is_full_others_are_refused_at_once(server: Front, gated: Path) -> None:
    with held(server, gated) as first:
        answers = [server.asking("great", "bridged") for _ in range(3 * MAX_QUEUE)]
        until(lambda: sum(answer.done() for answer in answers) == 2 * MAX_QUEUE + 1)
        refused = [answer.result() for answer in answers if answer.done()]
        assert {(answer.status_code, answer.json()["type"]) for answer in refused} == {(429, "Overloaded")}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert first.result().status_code == 200
    assert sorted(answer.result().status_code for answer in answers) == [200] * (MAX_QUEUE - 1) + [429] * (
        2 * MAX_QUEUE + 1
    )


def test_the_clients_own_deadline_holds_and_its_late_answer_is_dropped(server: Front, gated: Path) -> None:
    with held(server, gated) as first:
        late = server.ask("great", "bridged", X_Request_Timeout_Ms="50")
        assert (late.status_code, late.json()["type"]) == (504, "DeadlineExceeded")
    assert first.result().status_code == 200
    assert server.ask("great", "bridged").status_code == 200


# Starts that fail


def test_without_java_a_sentence_says_what_to_install(dense: Path, tmp_path: Path) -> None:
    with front([on_torchserve(dense)], wait=False, env={"PATH": str(tmp_path), "JAVA_HOME": ""}) as server:
        until(lambda: "install Java 17 or later" in server.ask("great").json()["error"])


def test_of_a_path_too_long_for_sockets_it_is_told_what_to_set(dense: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    with front([on_torchserve(dense)], wait=False, env={"TMPDIR": str(folder)}) as server:
        until(lambda: "set a shorter TMPDIR" in server.ask("great").json()["error"])
    assert list(folder.iterdir()) == []


DYING = """
import os
print("its last words", flush=True)
os._exit(3)
"""


def test_a_start_that_fails_is_told_and_logged_with_what_torchserve_said_last(
    dense: Path, tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    variant, log = write_code(copy_of(dense, tmp_path / "dying"), DYING), tmp_path / "log"
    with front([on_torchserve(variant)], wait=False, log=log, env=elsewhere) as server:
        until(lambda: "TorchServe did not start: its worker ended" in server.ask("great").json()["error"])
    assert "its last words" in log.read_text()


# Ends


@pytest.mark.parametrize("victim", ["java", "python", "bridge"])
def test_whatever_is_killed_every_request_is_answered_nothing_is_left_and_it_comes_back(
    server: Front, gated: Path, temporary: Path, victim: str
) -> None:
    before = processes_of(server)
    (folder,) = temporary.glob("torchserve-*")
    # A request that is there when workers die is soon answered no more: each time it is another one.
    with held(server, gated, f"for {victim}") as first:
        answers = [first, *(server.asking("great", "bridged") for _ in range(7))]
        until(lambda: server.metric("in_flight_requests", variant="bridged") == len(answers))
        before[victim].kill()
        statuses = [answer.result() for answer in answers]
    assert all(map(is_not_ready, statuses))
    assert server.http.get("/ping").json() == {"ready": False, "not_ready": ["bridged"]}
    until_gone(list(before.values()))
    until(lambda: not folder.exists())
    until(server.is_ready)
    assert server.ask("great", "bridged").status_code == 200


def test_what_hangs_is_ended_and_nothing_is_left_when_the_front_is_killed_meanwhile(
    gated: Path, elsewhere: dict[str, str]
) -> None:
    with front([on_torchserve(gated)], hang_timeout_s=1.0, env=elsewhere) as server:
        processes_of(server)["java"].suspend()
        assert is_not_ready(server.ask("great"))
        until(server.is_ready)
        with held(server, gated, "for ever") as first:
            assert is_not_ready(first.result())
        assert server.metric("worker_restarts_total") >= 1
        leaves_nothing_when_its_front_is_killed(server, Path(elsewhere["TMPDIR"]))


def leaves_nothing_when_its_front_is_killed(server: Front, temporary: Path) -> None:
    """Also while it is starting."""
    until(lambda: any(temporary.glob("torchserve-*/log4j2.xml")))
    family = psutil.Process(server.process.pid).children(recursive=True)
    server.process.kill()
    until_gone(family)
    until(lambda: not any(temporary.iterdir()))


def test_sigterm_answers_what_was_admitted_and_leaves_nothing_behind(gated: Path, elsewhere: dict[str, str]) -> None:
    with front([on_torchserve(gated)], env=elsewhere) as server:
        processes = processes_of(server)
        with held(server, gated) as first:
            answers = [first, *(server.asking("great") for _ in range(7))]
            until(lambda: server.metric("in_flight_requests") == len(answers))
            server.process.send_signal(signal.SIGTERM)
            until(lambda: server.http.get("/ping").status_code == 503)
        assert [answer.result().status_code for answer in answers] == [200] * len(answers)
        assert server.process.wait() == 0
        until_gone(list(processes.values()))
        assert list(Path(elsewhere["TMPDIR"]).iterdir()) == []
