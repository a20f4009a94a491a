"""A peer in processes of its own, on cores of its own. Some start many; all of them are ended afterwards."""

import http.client
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.harness.environments import environment, library_folder
from benchmarks.harness.places import ROOT
from benchmarks.peers.common.arguments import HOST, free_port
from benchmarks.peers.common.peer import Peer

READY_TIMEOUT_S = 120.0
STOP_S = 10.0
POLL_S = 0.1
ANSWER_TIMEOUT_S = 5.0
_MARK = "BENCHMARK_PEER"


class PeerFailed(Exception):
    """A peer did not become ready, or answers wrongly; the message says which and shows the end of its log."""


@contextmanager
def running_peer(peer: Peer, max_batch: int, variant: Path, cores: Sequence[int], log_file: Path) -> Iterator[str]:
    """Serve `variant` with a peer on a free port; yields its URL once it answers, and ends all of its processes after.

    Raises:
        EnvironmentUnavailable: what it needs cannot be installed.
        PeerFailed: it did not become ready.
    """
    python = environment(peer.name, peer.requirements, peer.python)
    port, mark = free_port(), uuid.uuid4().hex
    options = ["--port", str(port), "--variant", str(variant), "--max-batch", str(max_batch)]
    log_file.parent.mkdir(parents=True, exist_ok=True)
    # Ray's sockets lie below this folder, and their paths must be short.
    with tempfile.TemporaryDirectory(prefix="peer-", ignore_cleanup_errors=True) as folder, log_file.open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", f"benchmarks.peers.{peer.name}.server", *options],
            cwd=folder,
            env=_environment(peer, python, folder) | {_MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        try:
            _wait_until_ready(peer, process, port, log_file)
            yield f"http://{HOST}:{port}"
        finally:
            _end(process, mark)


def _environment(peer: Peer, python: Path, folder: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME")}
    library = {"LD_LIBRARY_PATH": library_folder(python)} if peer.needs_library else {}
    return {
        **inherited,
        "PATH": f"{python.parent}{os.pathsep}{inherited.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "HOME": folder,
        "TMPDIR": folder,
        "OMP_NUM_THREADS": "1",
        **library,
        **(peer.environment or {}),
    }


def _wait_until_ready(peer: Peer, process: "subprocess.Popen[bytes]", port: int, log_file: Path) -> None:
    give_up_at = time.monotonic() + READY_TIMEOUT_S
    while process.poll() is None and time.monotonic() < give_up_at:
        if _answers(peer, port):
            return
        time.sleep(POLL_S)
    why = "ended" if process.poll() is not None else f"was not ready within {READY_TIMEOUT_S:.0f} s"
    tail = log_file.read_text(errors="replace").strip().splitlines()[-5:]
    raise PeerFailed(f"{peer.name} {why}; the end of its log: " + " | ".join(tail))


def _answers(peer: Peer, port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("POST", peer.path, peer.body("ready ?"), {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: "subprocess.Popen[bytes]", mark: str) -> None:
    """Ask all processes of the peer to end, then end whatever is left of it."""
    _send(signal.SIGTERM, _processes(process.pid, mark))
    # Looked for again, since some start others while they end.
    while left := _processes(process.pid, mark):
        _send(signal.SIGKILL, left)
    process.wait()


def _send(number: signal.Signals, to: list[psutil.Process]) -> None:
    """Send a signal and wait until the processes are gone, but not for ever."""
    for one in to:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(number)
    psutil.wait_procs(to, STOP_S)


def _processes(session: int, mark: str) -> list[psutil.Process]:
    """All that run in the peer's session or have its mark in their environment: some leave the one or the other."""
    return [one for one in psutil.process_iter() if _belongs(one, session, mark)]


def _belongs(one: psutil.Process, session: int, mark: str) -> bool:
    try:
        if one.status() == psutil.STATUS_ZOMBIE:
            return False
        return os.getsid(one.pid) == session or one.environ().get(_MARK) == mark
    except (psutil.Error, OSError):
        return False


def cpu_seconds_of_children() -> float:
    """What all descendants of this process have taken of processors so far."""
    return sum(_cpu_s(one) for one in psutil.Process().children(recursive=True))


def _cpu_s(one: psutil.Process) -> float:
    try:
        times = one.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
