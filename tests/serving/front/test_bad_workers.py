"""Workers that send what nobody can read, answer nothing, or are stopped: ended or passed over, and nobody waits."""

import os
import shlex
import signal
import stat
import sys
from pathlib import Path

import pytest

from serving.front.settings import VariantSpec
from tests.serving.faulty import FaultyVariant, ask, asking, is_right
from tests.serving.front_server import ROOT, Front, front, is_not_ready, until

# Is ready at once, and then answers whatever it is asked with these bytes; without any it answers nothing.
WORKER = """
import socket, sys, threading, time
from serving.wire.cost import NO_COST
from serving.wire.messages import Beat, Ready, frame

connection = socket.socket(fileno=int(sys.argv[1]))
connection.sendall(frame(Ready({}, 0.0, NO_COST, 1, 1)))

def beat():
    while True:
        connection.sendall(frame(Beat()))
        time.sleep(0.2)

if not BYTES:
    threading.Thread(target=beat, daemon=True).start()
while connection.recv(65536):
    connection.sendall(BYTES)
"""


def bad_worker(folder: Path, answer: bytes) -> VariantSpec:
    """Served by a worker that answers with these bytes."""
    (folder / "worker.py").write_text(f"BYTES = {answer!r}\n{WORKER}")
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\ncd {shlex.quote(str(ROOT))} && exec {shlex.quote(sys.executable)} {folder / "worker.py"} "$4"\n'
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return VariantSpec("bad", folder, "python", str(python))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"\x01\x00\x00\x00\xc1", "a frame cannot be read: DecodeError"),
        (b"\x09\x00\x00\x00\x92\xa5reply\xa1x", "a frame cannot be read: ValidationError"),
        (b"\xff\xff\xff\xff", "a frame is too large"),
    ],
    ids=["no message", "a reply to x", "four GiB"],
)
def test_a_worker_that_sends_what_cannot_be_read_is_ended_and_its_requests_answered(
    tmp_path: Path, answer: bytes, why: str
) -> None:
    log = tmp_path / "log"
    with front([bad_worker(tmp_path, answer)], log=log) as server:
        (before,) = server.worker_pids()
        assert is_not_ready(server.ask("one"))
        until(lambda: server.metric("worker_restarts_total") == 1)
        until(server.is_ready)
        assert server.worker_pids() != [before]
    assert f"worker of bad was ended ({why})" in log.read_text()


def is_overdue(server: Front, text: str) -> bool:
    answer = ask(server, text)
    return (answer.status_code, answer.json()["type"]) == (504, "DeadlineExceeded")


SOON = {"SWEEP_S": 0.05}


def test_a_request_whose_reply_is_lost_is_answered_by_the_servers_own_deadline(tmp_path: Path) -> None:
    with front([bad_worker(tmp_path, b"")], supervision=SOON, execution_deadline_s=0.2) as server:
        for _ in range(3):
            assert is_overdue(server, "one")
        assert server.metric("in_flight_requests") == 0
        assert server.is_ready()


def test_what_a_stopped_worker_has_is_answered_by_the_deadline_and_it_may_go_on(tmp_path: Path) -> None:
    faulty = FaultyVariant(tmp_path / "faulty")
    with front([faulty.spec], supervision=SOON, execution_deadline_s=0.5) as server:
        (pid,) = server.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        try:
            assert is_overdue(server, "w1")
        finally:
            os.kill(pid, signal.SIGCONT)
        assert is_right(ask(server, "w2"), "w2")


def test_a_request_that_is_run_for_too_long_is_answered_by_the_deadline(tmp_path: Path) -> None:
    faulty = FaultyVariant(tmp_path / "faulty")
    with front([faulty.spec], supervision=SOON, execution_deadline_s=0.5) as server:
        with faulty.held():
            waiting = asking(server, "wait")
            assert waiting.result().status_code == 504
            assert is_overdue(server, "w1")
        until(lambda: is_right(ask(server, "w2"), "w2"))
