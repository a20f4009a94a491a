"""Engines that crash, hang, grow or answer nonsense behind a real server: who is answered what, and what comes back."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.handlers.variants import write_code
from tests.serving.faulty import ENGINE_FILE, FaultyVariant, ask, asking, asking_in_turn, is_right
from tests.serving.front_server import Front, front, is_not_ready, until

SOON_BACK = {"LAST_BACK_OFF_S": 0.1}
CLOSELY_WATCHED = SOON_BACK | {"WATCH_S": 0.1}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> FaultyVariant:
    return FaultyVariant(tmp_path_factory.mktemp("faults") / "faulty")


@pytest.fixture(scope="module", params=[1, 2], ids=["on its event loop", "on a thread"])
def running(request: pytest.FixtureRequest, faulty: FaultyVariant) -> Iterator[Front]:
    """A server whose worker calls its engine in either way that a worker can; two long texts fill a call."""
    threads: int = request.param
    with front([faulty.spec], supervision=SOON_BACK, batch_tokens=32, threads_per_stream=threads) as server:
        yield server


@pytest.fixture
def server(running: Front, faulty: FaultyVariant) -> Front:
    """The same for all tests: each asks for other texts, and none counts from zero."""
    until(running.is_ready)
    faulty.forget_calls()
    return running


def worker_failed(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["type"]) == (500, "WorkerFailed")


def test_a_request_that_ends_its_worker_is_tried_once_more_and_then_refused(
    server: Front, faulty: FaultyVariant
) -> None:
    restarts, refused = server.metric("worker_restarts_total"), server.metric("rejected_total", reason="quarantined")
    with faulty.starts_held():
        assert is_not_ready(ask(server, "crash w1"))
        assert not server.is_ready()
        assert server.metric("worker_restarts_total") == restarts + 1
        other = ask(server, "w2")
        assert is_not_ready(other)
        assert "ended (by signal SIGABRT) and is being started again" in other.json()["error"]
    until(server.is_ready)
    assert is_right(ask(server, "w2"), "w2")
    with faulty.starts_held():
        assert worker_failed(ask(server, "crash w1"))
        assert not server.is_ready()
    until(server.is_ready)
    assert worker_failed(ask(server, "crash w1"))
    assert is_right(ask(server, "w2"), "w2")
    assert faulty.calls == [["crash w1"], ["w2"], ["crash w1"], ["w2"]]
    assert server.metric("worker_restarts_total") == restarts + 2
    assert server.metric("rejected_total", reason="quarantined") == refused + 1


def test_what_was_running_at_a_death_is_asked_alone_until_it_was_answered(server: Front, faulty: FaultyVariant) -> None:
    die_with(server, faulty, "crash w11", "w10")
    for expected in ([["w10"], ["w12", "w13"]], [["w10", "w12", "w13"]]):
        faulty.forget_calls()
        texts = ("w12", "w10", "w13")
        with faulty.busy(server):
            answers = asking_in_turn(server, *texts)
        assert all(is_right(answer.result(), text) for answer, text in zip(answers, texts, strict=True))
        assert faulty.calls[1:] == expected
    # Another death while it runs is its first again.
    die_with(server, faulty, "crash w14", "w10")
    assert is_right(ask(server, "w10"), "w10")


def test_several_requests_of_one_text_that_were_running_at_a_death_count_as_one(
    server: Front, faulty: FaultyVariant
) -> None:
    die_with(server, faulty, "crash w16", "w15", "w15", "w15")
    assert is_right(ask(server, "w15"), "w15")


def die_with(server: Front, faulty: FaultyVariant, *texts: str) -> None:
    """Have these texts run together when their worker dies."""
    with faulty.busy(server):
        answers = asking_in_turn(server, *texts)
    assert all(is_not_ready(answer.result()) for answer in answers)
    assert faulty.calls[-1] == sorted(texts)
    until(server.is_ready)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("nan", "The engine answered with numbers that are not finite"),
        ("wrong_rows", "The engine answered (3, 2) where (texts, numbers) = (2, 2) was due"),
    ],
)
def test_an_answer_that_cannot_be_right_fails_its_call_and_no_other(
    server: Front, faulty: FaultyVariant, fault: str, words: str
) -> None:
    pids = server.worker_pids()
    bad, *good = (word + " w20" * 11 for word in (fault, "w21", "w22", "w23"))  # two fill a call
    with faulty.busy(server):
        answers = asking_in_turn(server, bad, *good)
    for answer in (one.result() for one in answers[:2]):
        assert (answer.status_code, answer.json()["type"]) == (500, "BackendError")
        assert words in answer.json()["error"]
    assert all(is_right(answer.result(), text) for answer, text in zip(answers[2:], good[1:], strict=True))
    assert faulty.calls == [["wait"], sorted([bad, good[0]]), good[1:]]
    assert server.worker_pids() == pids


def test_a_worker_without_memory_ends_and_another_takes_its_place(server: Front, faulty: FaultyVariant) -> None:
    (before,) = server.worker_pids()
    with faulty.starts_held():
        assert is_not_ready(ask(server, "out_of_memory w1"))
        told = ask(server, "w30")
        assert is_not_ready(told)
        assert "ended (with exit code 70)" in told.json()["error"]
    until(server.is_ready)
    assert is_right(ask(server, "w30"), "w30")
    assert server.worker_pids() != [before]


def test_of_texts_that_were_running_with_a_deadly_one_all_others_are_answered(tmp_path: Path) -> None:
    faulty = FaultyVariant(tmp_path / "faulty")
    texts = ("w1", "w2", "crash w3", "w4", "w5", "w6", "w7", "w8")
    with front([faulty.spec], workers=2, threads_per_stream=1) as server:
        until(lambda: server.metric("worker_ready") == 2)
        with faulty.busy(server, calls=2):
            answers = dict(zip(texts, asking_in_turn(server, *texts), strict=True))
        deadly = answers.pop("crash w3")
        assert worker_failed(deadly.result())
        assert all(is_right(answer.result(), text) for text, answer in answers.items())
        assert ["crash w3", "w1", "w5", "w7"] in faulty.calls
        assert server.metric("worker_restarts_total") == 2
        assert server.metric("in_flight_requests") == 0


HANGING_INPUT_FN = """
import json, threading

def input_fn(body, kind):
    if "w99" in body:
        threading.Event().wait()
    return json.loads(body)
"""


@pytest.fixture(scope="module")
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, dict[str, FaultyVariant]]]:
    """A server of two variants that hang, in their engine or in the user's own code, and are soon found out."""
    folder = tmp_path_factory.mktemp("hanging")
    variants = {name: FaultyVariant(folder / name) for name in ("engine", "code")}
    write_code(variants["code"].folder, HANGING_INPUT_FN)
    specs = [one.spec for one in variants.values()]
    with front(specs, supervision=CLOSELY_WATCHED, hang_timeout_s=0.5, threads_per_stream=1) as server:
        yield server, variants


@pytest.mark.parametrize(("name", "text"), [("engine", "hang w1"), ("code", "w99")])
def test_a_request_that_hangs_is_ended_with_its_worker_and_tried_once_more(
    hanging: tuple[Front, dict[str, FaultyVariant]], name: str, text: str
) -> None:
    server, variants = hanging
    faulty, other = variants[name], next(one for one in variants if one != name)
    until(server.is_ready)
    for is_due in (is_not_ready, worker_failed):
        with faulty.starts_held():
            assert is_due(ask(server, text, name))
            assert server.http.get("/ping").json() == {"ready": False, "not_ready": [name]}
            told = ask(server, "w2", name)
            assert is_not_ready(told)
            assert "was ended (it does not finish a request)" in told.json()["error"]
            assert is_right(ask(server, "w2", other), "w2")
        until(server.is_ready)
        assert is_right(ask(server, "w2", name), "w2")
    restarts = server.metric("worker_restarts_total", variant=name)
    assert worker_failed(ask(server, text, name))
    assert server.metric("worker_restarts_total", variant=name) == restarts


def test_a_request_that_hangs_is_found_out_though_its_client_gives_up_before(
    hanging: tuple[Front, dict[str, FaultyVariant]],
) -> None:
    server, variants = hanging
    impatient = {"variant": "engine", "X_Request_Timeout_Ms": "1"}
    for _ in range(2):
        until(server.is_ready)
        variants["engine"].forget_calls()
        with variants["engine"].starts_held():
            while not variants["engine"].calls:  # some expire before they reach the engine
                assert ask(server, "hang w3", **impatient).status_code == 504
            until(lambda: not server.is_ready())
    until(server.is_ready)
    assert worker_failed(ask(server, "hang w3", "engine"))


DEADLY_INPUT_FN = """
import json, os

def input_fn(body, kind):
    if "w98" in body:
        os._exit(3)
    if "w97" in body:
        os.abort()
    return json.loads(body)
"""


@pytest.mark.parametrize(("text", "how"), [("w98", "with exit code 3"), ("w97", "by signal SIGABRT")])
def test_a_request_that_ends_its_worker_while_it_is_read_is_blamed_for_it(tmp_path: Path, text: str, how: str) -> None:
    faulty = FaultyVariant(tmp_path / "faulty")
    write_code(faulty.folder, DEADLY_INPUT_FN)
    with front([faulty.spec], supervision=SOON_BACK, threads_per_stream=1) as server:
        for is_due in (is_not_ready, worker_failed):
            with faulty.starts_held():
                assert is_due(ask(server, text))
                told = ask(server, "w2")
                assert is_not_ready(told)
                assert f"ended ({how})" in told.json()["error"]
            until(server.is_ready)
            assert is_right(ask(server, "w2"), "w2")
        assert worker_failed(ask(server, text))
        assert server.metric("worker_restarts_total") == 2


def test_a_worker_that_has_grown_too_large_is_ended_after_what_it_has_in_hand(tmp_path: Path) -> None:
    faulty = FaultyVariant(tmp_path / "faulty")
    with front([faulty.spec], streams=2, memory_limit_mib=512, supervision=CLOSELY_WATCHED) as server:
        with faulty.starts_held():
            with faulty.held():
                in_hand = asking(server, "wait")
                until(lambda: "wait" in faulty.seen)
                for _ in range(2):  # the second is too much
                    assert is_right(ask(server, "grow"), "grow")
                until(lambda: not server.is_ready())
                assert is_not_ready(ask(server, "w1"))
                assert_says_why(server)
            assert is_right(in_hand.result(), "wait")
            until(lambda: server.metric("worker_restarts_total") == 1)
            assert not server.is_ready()
            assert_says_why(server)
        until(server.is_ready)
        assert server.variants()["faulty"]["workers"][0]["error"] == ""
        assert is_right(ask(server, "grow"), "grow")


def assert_says_why(server: Front) -> None:
    (worker,) = server.variants()["faulty"]["workers"]
    assert re.fullmatch(
        r"Its worker was ended \(it had \d{3} MiB of memory, over the limit of 512 MiB\) and is being started again\.",
        worker["error"],
    )


def test_a_worker_that_cannot_load_is_tried_again_ever_later_until_it_can(tmp_path: Path) -> None:
    faulty, log = FaultyVariant(tmp_path / "faulty"), tmp_path / "log"
    away = (faulty.folder / ENGINE_FILE).rename(tmp_path / "away")
    with front([faulty.spec], wait=False, log=log) as server:
        until(lambda: server.metric("worker_restarts_total") >= 3)
        assert server.http.get("/ping").json() == {"ready": False, "not_ready": ["faulty"]}
        (worker,) = server.variants()["faulty"]["workers"]
        assert f"{ENGINE_FILE!r} is missing" in worker["error"]
        assert is_not_ready(ask(server, "w1"))
        away.rename(faulty.folder / ENGINE_FILE)
        until(server.is_ready)
        assert is_right(ask(server, "w1"), "w1")
    assert re.findall(r"next start in (\S+) s", log.read_text())[:3] == ["0.1", "0.2", "0.4"]


def test_when_a_worker_is_killed_again_and_again_every_request_is_answered(tmp_path: Path) -> None:
    faulty = FaultyVariant(tmp_path / "faulty")
    answers: list[httpx.Response] = []
    stop = threading.Event()
    with front([faulty.spec], supervision=SOON_BACK) as server:
        clients = [server.threads.submit(keep_asking, server, answers, stop) for _ in range(4)]
        for kill in range(1, 4):
            with faulty.starts_held():
                os.kill(server.worker_pids()[0], signal.SIGKILL)
                until(lambda: server.metric("worker_restarts_total") == kill)  # noqa: B023  called here and now
                assert not server.is_ready()
                until_answered(answers, 503)
            until(server.is_ready)
            until_answered(answers, 200)
        stop.set()
        for client in clients:
            client.result()
        assert {answer.status_code for answer in answers} == {200, 503}
        assert all(is_right(answer, "w1 w2") or is_not_ready(answer) for answer in answers)
        assert server.metric("in_flight_requests") == 0


def keep_asking(server: Front, answers: list[httpx.Response], stop: threading.Event) -> None:
    while not stop.is_set():
        answers.append(ask(server, "w1 w2"))


def until_answered(answers: list[httpx.Response], status: int) -> None:
    """Until an answer with this status has come from now on."""
    begun = len(answers)
    until(lambda: status in {answer.status_code for answer in answers[begun:]})
