"""The engine with a real variant: requests in, replies out, in this process, in each way that a host may run it."""

import gzip
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.handler import Handler
from handlers.user_code import UserCode
from serving import tuning
from serving.cpu_plan import StreamSplit
from serving.wire.black_box import BlackBox
from serving.wire.messages import Ask, BatchDone, Reply, frame, front_side_decoder
from serving.worker.engine import Engine
from serving.worker.loading import Loaded
from serving.worker.start import load_variant
from tests.handlers.variants import copy_of, write_code
from tests.serving.front_server import until

SLOTS = 5


@pytest.fixture(scope="module")
def loaded(dense: Path) -> Loaded:
    return load_variant(dense, "onnxruntime", [StreamSplit(2, 1)], 128)[0]


class Bench:
    """An engine, and what it has delivered."""

    def __init__(self, loaded: Loaded, *, wake: Callable[[], None] | None = None, decoders: int = 0) -> None:
        self._delivered: queue.Queue[Reply | BatchDone] = queue.Queue()
        self.on_threads: set[str] = set()
        self.black_box = BlackBox(BlackBox.make_file(SLOTS), SLOTS)
        self.engine = Engine(loaded, self._deliver, self.black_box, wake=wake, decoders=decoders)

    def _deliver(self, messages: list[Reply | BatchDone]) -> None:
        self.on_threads.add(threading.current_thread().name)
        for message in messages:
            self._delivered.put(message)

    def replies(self, count: int) -> dict[int, Reply]:
        found: dict[int, Reply] = {}
        while len(found) < count:
            message = self._delivered.get()
            if isinstance(message, Reply):
                assert message.id not in found, "answered twice"
                found[message.id] = message
        return found


def ask(number: int, inputs: Any = "a good film", *, expires: float = math.inf, isolated: bool = False) -> Ask:
    body = json.dumps({"inputs": inputs}).encode()
    return Ask(number, body, "application/json", "", "invocations", None, math.inf, expires, isolated)


@pytest.fixture
def woken() -> list[str]:
    return []


@pytest.fixture
def hosted(loaded: Loaded, woken: list[str]) -> Bench:
    """Run by its host, on the host's thread."""
    return Bench(loaded, wake=lambda: woken.append(threading.current_thread().name))


@pytest.fixture
def threaded(loaded: Loaded) -> Bench:
    """Run by threads of its own, with two more that decode."""
    return Bench(loaded, decoders=2)


def test_a_hosted_engine_wakes_its_host_and_runs_when_it_says(hosted: Bench, woken: list[str]) -> None:
    for number in range(3):
        hosted.engine.ask(ask(number))
    assert len(woken) == 3
    assert hosted.engine.queued() == (3, 15)
    assert hosted.on_threads == set()
    assert hosted.engine.run_next()
    assert not hosted.engine.run_next()
    assert {number: reply.error for number, reply in hosted.replies(3).items()} == {0: "", 1: "", 2: ""}
    assert hosted.on_threads == {threading.current_thread().name}


def test_an_engine_of_threads_answers_on_them(threaded: Bench) -> None:
    for number in range(50):
        threaded.engine.ask(ask(number))
    labels = {json.loads(reply.body)[0]["label"] for reply in threaded.replies(50).values()}
    assert len(labels) == 1
    assert threaded.on_threads <= {"stream-0", "stream-1"}
    until(lambda: not threaded.black_box.running())


def test_large_bodies_are_decoded_on_other_threads_and_small_ones_at_once(threaded: Bench) -> None:
    threaded.engine.ask(ask(1, 7))
    assert threaded.replies(1)[1].error == "BadInput"
    assert threaded.on_threads == {threading.current_thread().name}
    threaded.engine.ask(ask(2, [7] * tuning.INLINE_BYTES))
    assert threaded.replies(1)[2].error in ("BadInput", "TooLarge")
    assert any(name.startswith("decode") for name in threaded.on_threads)


def test_without_decoders_all_is_decoded_where_it_is_asked(hosted: Bench) -> None:
    hosted.engine.ask(ask(1, "good " * tuning.INLINE_BYTES))
    assert hosted.engine.queued()[0] == 1
    assert hosted.engine.run_next()
    assert hosted.replies(1)[1].truncated == (0,)


def test_what_is_cancelled_is_never_run(hosted: Bench) -> None:
    hosted.engine.ask(ask(1))
    hosted.engine.ask(ask(2))
    hosted.engine.cancel(1)
    hosted.engine.cancel(3)
    while hosted.engine.run_next():
        pass
    assert hosted.replies(1).keys() == {2}
    hosted.engine.cancel(2)


def test_a_deadline_that_has_passed_and_an_isolated_request_are_kept_to(hosted: Bench) -> None:
    hosted.engine.ask(ask(1))
    hosted.engine.ask(ask(2, isolated=True))
    hosted.engine.ask(ask(3, expires=0.0))
    calls = 0
    while hosted.engine.run_next():
        calls += 1
    replies = hosted.replies(3)
    assert (calls, [replies[number].error for number in (1, 2, 3)]) == (2, ["", "", "DeadlineExceeded"])


def test_the_time_since_the_front_sent_a_request_counts_as_waiting(hosted: Bench) -> None:
    asked = ask(1)
    asked.sent = time.monotonic() - 100
    hosted.engine.ask(asked)
    hosted.engine.run_next()
    assert hosted.replies(1)[1].timings.queue_s > 99


def test_a_closed_engine_has_finished_what_it_ran_and_runs_nothing_more(dense: Path) -> None:
    for wake in (None, lambda: None):
        loaded, ready = load_variant(dense, "onnxruntime", [StreamSplit(1, 1)], 128, served_as="mine")
        assert loaded.handler.served_as == "mine"
        assert ready.facts["engine"]["engine"] == "onnxruntime"
        bench = Bench(loaded, wake=wake, decoders=2)
        before = threading.active_count()
        bench.engine.ask(ask(1))
        if wake:
            bench.engine.run_next()
        bench.replies(1)
        bench.engine.close()
        assert not bench.engine.run_next()
        assert threading.active_count() <= before


def test_a_users_own_input_fn_is_not_run_where_requests_are_taken(dense: Path, tmp_path: Path) -> None:
    code = "import threading\ndef input_fn(body, kind): raise ValueError(threading.current_thread().name)\n"
    folder = write_code(copy_of(dense, tmp_path / "mine"), code)
    bench = Bench(load_variant(folder, "onnxruntime", [StreamSplit(1, 1)], 128)[0], decoders=2)
    bench.engine.ask(ask(1))
    assert "ValueError: decode" in bench.replies(1)[1].message
    bench.engine.close()


class Held:
    """A variant whose own `input_fn` waits at a gate; `begun` are the bodies that it was given."""

    def __init__(self, dense: Path, folder: Path) -> None:
        self.begun: queue.Queue[str] = queue.Queue()
        self.gate = threading.Semaphore(0)
        self.loaded = load_variant(dense, "onnxruntime", [StreamSplit(1, 1)], 128)[0]
        self.loaded.handler.user = UserCode(input_fn=self._input_fn)

    def _input_fn(self, body: str, kind: str) -> Any:
        self.begun.put(body)
        self.gate.acquire()
        return {"inputs": "good"}


@pytest.fixture
def held(dense: Path, tmp_path: Path) -> Iterator[tuple[Held, Bench]]:
    held = Held(dense, tmp_path)
    bench = Bench(held.loaded, decoders=1)
    yield held, bench
    held.gate.release(1000)
    bench.engine.close()


def test_what_is_cancelled_or_too_late_is_never_decoded(held: tuple[Held, Bench]) -> None:
    held_, bench = held
    bench.engine.ask(ask(1, "one"))
    held_.begun.get()
    bench.engine.ask(ask(2, "two"))
    bench.engine.ask(ask(3, "three", expires=time.monotonic()))
    late = ask(4, "four")
    late.queue_by = time.monotonic()
    bench.engine.ask(late)
    bench.engine.ask(ask(5, "five"))
    bench.engine.cancel(2)
    held_.gate.release(2)
    replies = bench.replies(4)
    assert {number: reply.error for number, reply in replies.items()} == {
        1: "", 3: "DeadlineExceeded", 4: "Overloaded", 5: ""
    }  # fmt: skip
    assert "five" in held_.begun.get()
    assert held_.begun.empty()


@pytest.mark.parametrize(("name", "most"), [("MOST_UNDECODED", 2), ("MOST_UNDECODED_BYTES", 2000)])
def test_few_may_wait_to_be_decoded(
    held: tuple[Held, Bench], monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    held_, bench = held
    monkeypatch.setattr(tuning, name, most)
    bench.engine.ask(ask(1, "x" * 5000))  # one is taken, however large it is
    held_.begun.get()
    for number in (2, 3, 4, 5):
        bench.engine.ask(ask(number, "x" * 900))
    refused = bench.replies(2)
    assert {number: reply.error for number, reply in refused.items()} == {4: "Overloaded", 5: "Overloaded"}
    bench.engine.cancel(3)  # which makes room for another one
    bench.engine.ask(ask(6, "x" * 900))
    held_.gate.release(9)
    assert {number: reply.error for number, reply in bench.replies(3).items()} == {1: "", 2: "", 6: ""}


def test_a_panic_while_a_request_is_decoded_is_an_error_of_that_request(
    hosted: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        """As pyo3's is."""

    def panic(self: object, asked: object) -> None:
        raise Panic

    with monkeypatch.context() as patched:
        patched.setattr(Handler, "prepare", panic)
        hosted.engine.ask(ask(1))
    assert hosted.replies(1)[1].error == "ParetoServeError"
    hosted.engine.ask(ask(2))
    hosted.engine.run_next()
    assert hosted.replies(1)[2].error == ""


def test_packed_bodies_are_decoded_on_other_threads_however_small_they_are(threaded: Bench) -> None:
    packed = ask(1, 7)
    packed.body, packed.content_encoding = gzip.compress(packed.body), "gzip"
    threaded.engine.ask(packed)
    assert threaded.replies(1)[1].error == "BadInput"
    assert all(name.startswith("decode") for name in threaded.on_threads)


@pytest.mark.parametrize("retry_after_s", ["'soon'", "float('nan')", "float('inf')", "-1", "None"])
def test_errors_of_ours_that_their_code_makes_can_be_sent(tmp_path: Path, retry_after_s: str) -> None:
    code = f"""
from model_store.errors import NotReady

def model_fn(folder): return 1

def predict_fn(data, model): raise NotReady("\\ud800", {retry_after_s})
"""
    bench = Bench(load_variant(write_code(tmp_path, code), "python", [StreamSplit(1, 1)], 128)[0], decoders=1)
    bench.engine.ask(ask(1))
    reply = bench.replies(1)[1]
    assert front_side_decoder().decode(frame(reply)[4:]) == reply
    assert (reply.error, reply.message, reply.retry_after_s) == ("NotReady", "\\ud800", 0.0)
    bench.engine.close()


def test_all_threads_that_decode_are_there_from_the_start(loaded: Loaded) -> None:
    def decoding() -> set[int | None]:
        return {thread.ident for thread in threading.enumerate() if thread.name.startswith("decode")}

    before = decoding()
    Bench(loaded, wake=lambda: None, decoders=3)
    assert len(decoding() - before) == 3
