"""Workers that have children, and a server that is killed: who is told, and that nobody is left."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.handlers.variants import write_code
from tests.serving.front_server import ROOT, Front, front, is_not_ready, spec, until, until_gone

# One child that inherits every descriptor that can be inherited, and one that has them all.
CODE = """
import os, subprocess, time

def model_fn(model_dir):
    started = subprocess.Popen(["sleep", "1000"], close_fds=False)
    forked = os.fork()
    if not forked:
        time.sleep(1000)
    with open(model_dir + "/children", "a") as children:
        children.write(f"{started.pid} {forked}\\n")

def predict_fn(data, model):
    if data["inputs"] == "exit":
        os._exit(3)
    return {"answered": data["inputs"]}
"""

# Makes itself the parent of orphans, as PID 1 is, and then is the command that follows.
SUBREAPER = (
    sys.executable,
    "-c",
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1); os.execv(sys.argv[1], sys.argv[1:])",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_code(tmp_path / "family", CODE)


@pytest.fixture
def server(folder: Path) -> Iterator[Front]:
    with front([spec(folder, "python")]) as served:
        yield served
    # Where what is tested fails, nothing may be left of it.
    for pid in (folder / "children").read_text().split():
        if Path(f"/proc/{pid}").exists():
            os.kill(int(pid), signal.SIGKILL)


def family(server: Front, folder: Path) -> list[psutil.Process]:
    """The worker that runs now, and all that it started."""
    (pid,) = server.worker_pids()
    worker = psutil.Process(pid)
    children = worker.children(recursive=True)
    told = {int(pid) for pid in (folder / "children").read_text().splitlines()[-1].split()}
    assert told <= {child.pid for child in children}
    return [worker, *children]


def test_a_worker_that_is_killed_is_missed_though_its_children_hold_its_socket(server: Front, folder: Path) -> None:
    before = family(server, folder)
    before[0].kill()
    until(lambda: server.metric("worker_restarts_total") == 1)
    until(server.is_ready)
    assert server.ask("one").json() == {"answered": "one"}
    assert server.worker_pids() != [before[0].pid]
    until_gone(before)


def test_a_worker_that_ends_by_itself_leaves_no_child(server: Front, folder: Path) -> None:
    before = family(server, folder)
    assert is_not_ready(server.ask("exit"))
    until_gone(before)
    until(server.is_ready)
    assert server.ask("one").status_code == 200


def test_a_server_that_is_told_to_stop_leaves_no_child_of_a_worker(server: Front, folder: Path) -> None:
    before = family(server, folder)
    assert server.stop() == 0
    until_gone(before)


def test_of_a_server_that_is_killed_nothing_is_left(server: Front, folder: Path) -> None:
    before = family(server, folder)
    server.process.kill()
    until_gone(before)


def test_a_server_that_is_killed_while_its_worker_loads_leaves_nothing(tmp_path: Path) -> None:
    code = CODE.replace("def predict_fn", "    open(model_dir + '/gate').read()\n\ndef predict_fn", 1)
    folder = write_code(tmp_path / "loading", code)
    os.mkfifo(folder / "gate")
    with front([spec(folder, "python")], wait=False) as server:
        until((folder / "children").exists)
        until(lambda: (folder / "children").read_text().endswith("\n"))
        before = family(server, folder)
        server.process.kill()
        until_gone(before)


def test_a_worker_whose_server_died_before_it_runs_is_never_run(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    (tmp_path / "module.py").write_text("raise AssertionError('it must not be run')\n")
    command = [sys.executable, "-m", "serving.wire.lifeline", str(theirs.fileno()), "{}", "module"]
    with theirs:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
        done = subprocess.run(
            command, pass_fds=[theirs.fileno()], env=environment, start_new_session=True, timeout=60, check=False
        )
    assert done.returncode == 0


def test_orphans_are_reaped_by_a_server_that_inherits_them_and_its_own_workers_are_not_missed(folder: Path) -> None:
    with front([spec(folder, "python")], through=SUBREAPER, supervision={"SWEEP_S": 0.05}) as server:
        for restarts in (1, 2):
            worker, *children = family(server, folder)
            worker.kill()
            # Gone altogether: who was their parent would leave them zombies.
            until(lambda: not any(child.is_running() for child in children))  # noqa: B023  called here and now
            until(lambda: server.metric("worker_restarts_total") == restarts)  # noqa: B023
            assert "ended (by signal SIGKILL)" in server.ask("one").text or server.is_ready()
            until(server.is_ready)
        assert server.ask("one").status_code == 200


KILLS, SEED = 3, 11


def test_whatever_is_killed_at_whatever_moment_every_request_is_answered(server: Front) -> None:
    chance = random.Random(SEED)
    answers: list[httpx.Response] = []
    stop = threading.Event()
    clients = [server.threads.submit(keep_asking, server, answers, stop) for _ in range(4)]
    try:
        for _ in range(KILLS):
            until(server.is_ready)
            due = len(answers) + chance.randrange(50)
            until(lambda: len(answers) > due)  # noqa: B023  called here and now
            chance.choice(psutil.Process(server.process.pid).children(recursive=True)).kill()
        until(server.is_ready)
    finally:
        stop.set()
    for client in clients:
        client.result()
    assert {answer.status_code for answer in answers} <= {200, 429, 500, 503}
    until(lambda: server.ask("one").status_code == 200)
    assert server.metric("in_flight_requests") == 0


def keep_asking(server: Front, answers: list[httpx.Response], stop: threading.Event) -> None:
    while not stop.is_set():
        answers.append(server.ask("one"))
