"""Workers that die, hang or cannot load, and a server that is told to stop: real processes, real signals."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil
import pytest

from model_store.errors import ParetoServeError
from model_store.manifest import MANIFEST_FILE
from serving.front.server import listen, serve
from serving.front.settings import Settings, VariantSpec
from tests.handlers.variants import copy_of, write_code
from tests.serving.front_server import Front, GatedModel, front, is_not_ready, spec, until, until_gone

SOON_BACK = {"LAST_BACK_OFF_S": 0.1}


@pytest.fixture
def model(tmp_path: Path) -> GatedModel:
    return GatedModel(tmp_path / "gated")


@pytest.fixture
def server(model: GatedModel) -> Iterator[Front]:
    with front([model.spec]) as served:
        yield served


def kill_worker(server: Front) -> None:
    (pid,) = server.worker_pids()
    os.kill(pid, signal.SIGKILL)


def test_a_folder_with_only_code_is_served(server: Front) -> None:
    assert server.ask("one").json() == {"answered": "one"}
    assert server.variants()["gated"]["engine"] == "the variant's own model_fn"
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["one"]}
    refused = server.http.post("/v2/models/gated/infer", json={"inputs": [tensor]})
    assert (refused.status_code, "ask it at /invocations" in refused.text) == (400, True)


def test_what_the_users_code_raises_is_answered_and_the_next_request_too(server: Front) -> None:
    refused = server.http.post("/invocations", json={"nothing": 1})
    assert (refused.status_code, refused.json()["type"]) == (500, "BackendError")
    assert "predict_fn failed: KeyError" in refused.json()["error"]
    assert "Traceback" not in refused.text
    assert server.ask("one").status_code == 200


def test_when_a_worker_is_killed_every_request_is_answered_and_it_comes_back(server: Front, model: GatedModel) -> None:
    answers = [server.asking("wait")]
    with model.held():  # only once it holds do the others come, so that none is answered before it
        answers += [server.asking(text) for text in "abcdefg"]
        until(lambda: server.metric("in_flight_requests") == 8)
        kill_worker(server)
        statuses = {answer.result().status_code for answer in answers}
        refused = [answer.result() for answer in answers if answer.result().status_code != 200]
    assert statuses <= {200, 503}
    assert refused
    assert all(map(is_not_ready, refused))
    assert server.http.get("/ping").json() == {"ready": False, "not_ready": ["gated"]}
    told = server.ask("one")
    assert is_not_ready(told)
    assert "is being started again" in told.json()["error"]
    until(server.is_ready)
    assert server.ask("one").status_code == 200
    assert server.metric("worker_restarts_total") == 1
    assert server.metric("in_flight_requests") == 0


def test_with_a_second_worker_the_death_of_one_is_not_seen_by_clients(model: GatedModel) -> None:
    with front([model.spec], workers=2, queue_deadline_s=0.5) as server:
        until(lambda: server.metric("worker_ready") == 2)
        answer, asked = server.asking("wait"), time.monotonic()
        with model.held():
            first = worker_at_the_gate(server)
            # It had reached an engine in time, however long that has been running it.
            until(lambda: time.monotonic() - asked > 2 * 0.5)
            os.kill(first, signal.SIGKILL)
            worker_at_the_gate(server, other_than=first)
        assert answer.result().json() == {"answered": "wait"}


def worker_at_the_gate(server: Front, other_than: int | None = None) -> int:
    """The worker whose model waits at its gate: it has the FIFO open."""
    found: list[int] = []
    while not found:
        found = [pid for pid in server.worker_pids() if pid != other_than and has_open(pid, "gate")]
    return found[0]


def has_open(pid: int, name: str) -> bool:
    try:
        return any(link.readlink().name == name for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it closed a file, or ended, meanwhile
        return False


def test_a_worker_that_hangs_is_ended_and_started_anew(model: GatedModel) -> None:
    with front([model.spec], hang_timeout_s=0.3) as server:
        (before,) = server.worker_pids()
        answer = server.asking("wait")
        with model.held():
            assert is_not_ready(answer.result())
        until(server.is_ready)
        assert server.worker_pids() != [before]
        assert server.ask("one").status_code == 200


def test_a_worker_that_is_silent_is_ended_and_started_anew(model: GatedModel) -> None:
    with front([model.spec], supervision={"SILENCE_S": 1.0}) as server:
        (pid,) = server.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        assert is_not_ready(server.ask("one"))
        until(server.is_ready)
        assert server.ask("two").json() == {"answered": "two"}


def test_a_worker_that_loads_for_too_long_is_ended_and_started_anew(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "slow", "def model_fn(model_dir): open(model_dir + '/gate').read()\n")
    os.mkfifo(folder / "gate")
    with front([spec(folder, "python")], wait=False, load_timeout_s=0.5) as server:
        until(lambda: server.metric("worker_restarts_total") >= 1)
        assert is_not_ready(server.ask("one"))
        assert "was ended (it does not finish loading)" in server.ask("one").json()["error"]


def unloadable(dense: Path, folder: Path) -> dict[str, tuple[VariantSpec, str]]:
    """Variants that cannot be served, each with words of the reason."""
    damaged, later = (copy_of(dense, folder / name) for name in ("damaged", "later"))
    content = (damaged / "model.onnx").read_bytes()
    (damaged / "model.onnx").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    manifest = msgspec.json.decode((later / MANIFEST_FILE).read_bytes())
    (later / MANIFEST_FILE).write_bytes(msgspec.json.encode(manifest | {"schema": 99}))
    broken = write_code(folder / "broken", "import there_is_no_such_module\n")
    dying = write_code(folder / "dying", "import os\ndef model_fn(model_dir): os._exit(3)\n")
    absent = VariantSpec("absent", dense, "onnxruntime", python=str(folder / "no-such-python"))
    return {
        "damaged": (spec(damaged), "'model.onnx' of variant 'damaged' is damaged"),
        "later": (spec(later), "has schema 99; this version of ParetoServe reads up to 2"),
        "broken": (spec(broken, "python"), "cannot be imported: ModuleNotFoundError"),
        "dying": (spec(dying, "python"), "Its worker ended (with exit code 3) and is being started again"),
        "absent": (absent, "Its worker cannot be started: No such file or directory"),
    }


def test_variants_that_cannot_load_say_why_beside_one_that_answers(dense: Path, tmp_path: Path) -> None:
    others = unloadable(dense, tmp_path)
    specs = [spec(dense), *(one for one, _ in others.values())]
    with front(specs, wait=False, supervision=SOON_BACK) as server:
        until(lambda: server.ask("good").status_code == 200)
        for name, (_, why) in others.items():
            says_why(server, name, why)
            assert server.http.get(f"/v2/models/{name}/ready").status_code == 503
        ping = server.http.get("/ping")
        assert (ping.status_code, ping.json()["not_ready"]) == (503, list(others))
        assert server.http.get("/v2/health/ready").status_code == 503
        assert server.http.get("/v2/health/live").status_code == 200
        assert server.ask("good").status_code == 200


def says_why(server: Front, name: str, why: str) -> None:
    """The reason is told once it is known, and stays told while the worker is started again."""
    until(lambda: why in server.ask("good", name).json()["error"])
    restarts = server.metric("worker_restarts_total", variant=name)
    while server.metric("worker_restarts_total", variant=name) == restarts:
        told = server.ask("good", name)
        assert is_not_ready(told)
        assert why in told.json()["error"]


def test_sigterm_answers_what_was_admitted_refuses_the_rest_and_leaves_no_worker(
    server: Front, model: GatedModel
) -> None:
    workers = [psutil.Process(pid) for pid in server.worker_pids()]
    answers = [server.asking("wait")]
    with model.held():  # only once it holds do the others come, so that none is answered before it
        answers += [server.asking(text) for text in "abcdefg"]
        until(lambda: server.metric("in_flight_requests") == 8)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.http.get("/ping").status_code == 503)
        late = server.ask("late")
        assert is_not_ready(late)
        assert "shutting down" in late.json()["error"]
        assert server.metric("rejected_total", reason="draining") == 1
    assert [answer.result().status_code for answer in answers] == [200] * 8
    assert server.process.wait() == 0
    until_gone(workers)
    assert "late" not in model.seen


def test_sigterm_does_not_wait_for_an_engine_longer_than_it_is_told(model: GatedModel) -> None:
    with front([model.spec], drain_timeout_s=0.1) as server:
        (worker,) = (psutil.Process(pid) for pid in server.worker_pids())
        answer = server.asking("wait")
        with model.held():
            assert server.stop() == 0
            until_gone([worker])
        assert answer.exception() or answer.result().status_code >= 500


def test_an_idle_server_ends_at_once_even_while_it_loads(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "slow", "def model_fn(model_dir): open(model_dir + '/gate').read()\n")
    os.mkfifo(folder / "gate")
    with front([spec(folder, "python")], wait=False) as server:
        until(server.worker_pids)
        assert server.stop() == 0


def test_workers_end_when_the_server_is_killed(server: Front) -> None:
    workers = [psutil.Process(pid) for pid in server.worker_pids()]
    server.process.kill()
    until_gone(workers)


def test_overload_is_answered_by_200_and_429_and_nothing_else(dense: Path) -> None:
    with front([spec(dense)], queue_deadline_s=0.001) as server:
        answers = [answer.result() for answer in [server.asking(["good film"] * 16) for _ in range(300)]]
        assert {answer.status_code for answer in answers} == {200, 429}
        assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
        refused = sum(answer.status_code == 429 for answer in answers)
        assert server.metric("rejected_total") == server.metric("requests_total", code="429") == refused
        assert server.metric("in_flight_requests") == 0


def test_a_client_that_leaves_while_the_engine_runs_its_request_is_forgotten(server: Front, model: GatedModel) -> None:
    body = b'{"inputs": "wait"}'
    request = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with ExitStack() as engine_runs:
        with socket.create_connection(server.address) as client:
            client.sendall(request)
            engine_runs.enter_context(model.held())
            assert server.metric("in_flight_requests") == 1
        until(lambda: server.metric("in_flight_requests") == 0)
    assert server.ask("next").json() == {"answered": "next"}


def test_half_a_surrogate_pair_from_user_code_is_refused_and_its_worker_goes_on(dense: Path, tmp_path: Path) -> None:
    # No tokenizer takes one, and no JSON body can hold one.
    code = "def input_fn(body, kind): return {'inputs': 'good' if 'good' in body else chr(0xd800)}\n"
    with front([spec(write_code(copy_of(dense, tmp_path / "mine"), code))]) as server:
        before = server.worker_pids()
        refused = server.ask("half")
        assert (refused.status_code, "surrogate" in refused.json()["error"]) == (400, True)
        assert server.ask("good").status_code == 200
        assert server.worker_pids() == before


def test_an_address_that_is_announced_can_be_connected_to_at_once() -> None:
    with listen(Settings(port=0)) as listener, socket.create_connection(listener.getsockname()):
        pass


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with listen(Settings(port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ParetoServeError, match=f"Cannot listen on 127.0.0.1:{port} .*choose another with --host"):
            listen(Settings(port=port))


def test_two_variants_of_one_name_are_refused(dense: Path) -> None:
    with pytest.raises(ParetoServeError, match="Two variants have the same name"):
        serve([spec(dense), spec(dense, "openvino")], Settings(port=0), lambda url, plan: None)
