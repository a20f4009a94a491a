"""How many requests a second the front carries, one core, against a worker that answers at once.

The load comes from `wrk`, since a client in Python is as slow as the front; worker and client share the other core.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.harness.echo_worker import interpreter
from benchmarks.harness.places import ROOT
from benchmarks.harness.results import Result, make_result, spread
from benchmarks.harness.sentences import load_sentences
from model_store.errors import ParetoServeError
from paretoserve.campaigns.compare import split_cores

CONNECTIONS = (16, 64)

_SERVE = """
import sys
from pathlib import Path
from serving.front.server import serve
from serving.front.settings import Settings, VariantSpec
folder, python, port = sys.argv[1:]
settings = Settings(port=int(port), queue_deadline_s=5.0)
serve([VariantSpec("echo", Path(folder), "echo", python)], settings, lambda url, plan: None)
"""


def measure_front(rounds: int, seconds: float) -> Result:
    """Raises ParetoServeError where there is no wrk."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise ParetoServeError("The front is measured with wrk, which is not installed: apt-get install wrk.")
    front_cores, other_cores = split_cores()
    taken = []
    with tempfile.TemporaryDirectory() as folder, _echoing(Path(folder), front_cores[:1], other_cores) as url:
        script = _request_script(Path(folder))
        for number in range(rounds):
            for connections in CONNECTIONS:
                command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(script), f"{url}/invocations"]
                output = subprocess.run(
                    command, capture_output=True, text=True, check=True, preexec_fn=_pinned(other_cores)
                ).stdout
                taken.append({"round": number, "connections": connections, **_figures(output)})
    summary = {
        str(connections): spread([one["requests_per_s"] for one in taken if one["connections"] == connections])
        for connections in CONNECTIONS
    }
    settings = {"seconds": seconds, "front_cores": list(front_cores[:1]), "other_cores": list(other_cores)}
    return make_result("front", settings, taken, summary)


@contextmanager
def _echoing(folder: Path, front_cores: Sequence[int], worker_cores: Sequence[int]) -> Iterator[str]:
    """A front with an echoing worker behind it, each on its cores."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(folder), str(interpreter(folder)), str(port)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=_pinned(front_cores),
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _until_ready(url)
        for worker in psutil.Process(process.pid).children(recursive=True):
            worker.cpu_affinity(list(worker_cores))
        yield url
    finally:
        process.terminate()
        process.wait()


def _until_ready(url: str) -> None:
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=1):  # noqa: S310  our own server on loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise ParetoServeError("The front did not get ready.")


def _pinned(cores: Sequence[int]) -> Callable[[], None]:
    return lambda: os.sched_setaffinity(0, cores)


def _request_script(folder: Path) -> Path:
    body = max(load_sentences().bodies()[:50], key=len).decode().replace("\\", "\\\\").replace("'", "\\'")
    script = folder / "request.lua"
    script.write_text(f"wrk.method = 'POST'\nwrk.body = '{body}'\nwrk.headers['Content-Type'] = 'application/json'\n")
    return script


def _figures(output: str) -> dict[str, float]:
    """Of wrk's report; a request that was not answered 200 spoils the measurement."""
    if failed := re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", output):
        raise ParetoServeError(f"wrk says: {failed[0]}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found is not None, "this is a bug: wrk reports a rate"
    return {"requests_per_s": float(found[1])}
