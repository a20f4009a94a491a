"""A real server, as a process of its own with any settings, and a model whose calls end when a test says so."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from serving.front.settings import VariantSpec
from tests.handlers.variants import write_code

ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], object]) -> None:
    """Ask again and again; the test's own timeout ends what never comes true."""
    while not condition():
        time.sleep(0.01)


async def becomes(condition: Callable[[], object]) -> None:
    """The same on an event loop."""
    while not condition():  # noqa: ASYNC110  what is waited for sets no event
        await asyncio.sleep(0.01)


@dataclass
class Front:
    process: "subprocess.Popen[bytes]"
    http: httpx.Client
    threads: ThreadPoolExecutor

    @property
    def address(self) -> tuple[str, int]:
        return self.http.base_url.host, self.http.base_url.port or 0

    def ask(self, inputs: Any, variant: str = "", **headers: str) -> httpx.Response:
        """Post one question to a variant, or to the first one."""
        target = {"X-Amzn-SageMaker-Target-Variant": variant} if variant else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post("/invocations", json={"inputs": inputs}, headers=target | named)

    def asking(self, inputs: Any, variant: str = "") -> "Future[httpx.Response]":
        """The same from a thread."""
        return self.threads.submit(self.ask, inputs, variant)

    def variants(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.http.get("/variants").json()["variants"]}

    def worker_pids(self) -> list[int]:
        return [worker["pid"] for one in self.variants().values() for worker in one["workers"]]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        total = 0.0
        for line in self.http.get("/metrics").text.splitlines():
            found = re.fullmatch(rf"paretoserve_{name}\{{(.*)\}} (\S+)", line)
            if found and all(f'{key}="{value}"' in found[1] for key, value in labels.items()):
                total += float(found[2])
        return total

    def is_ready(self) -> bool:
        return self.http.get("/ping").status_code == 200

    def stop(self) -> int:
        """SIGTERM; the exit code once it has ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


@contextmanager
def front(
    specs: Sequence[VariantSpec],
    *,
    wait: bool = True,
    supervision: Mapping[str, float] | None = None,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    hosts: str = "serving.front.worker_replica:worker_processes",
    through: Sequence[str] = (),
    **settings: Any,
) -> Iterator[Front]:
    """Serve `specs` on a free port, from when all are ready unless told not to `wait`; what it logs goes to `log`.

    Requests may wait for long unless `settings` say otherwise: a test is not about how fast this machine is. They may
    also name any host: not every test is about that.
    `supervision` are other values for constants of `serving.tuning`, by name; `hosts` is where the maker of replicas
    is found; `through` is a command that ends by running the one that follows it.
    """
    told = {
        "variants": [[one.name, str(one.folder), one.backend, one.python] for one in specs],
        "settings": {"streams": 1, "queue_deadline_s": 60.0, "allow_hosts": ["*"]} | settings,
        "supervision": supervision or {},
        "hosts": hosts,
    }
    command = [*through, sys.executable, "-m", "tests.serving.front_process", json.dumps(told)]
    with ExitStack() as files:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=files.enter_context(log.open("wb")) if log else None,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().decode().strip()
        limits = httpx.Limits(max_connections=None)
        with httpx.Client(base_url=url, timeout=60, limits=limits) as http, ThreadPoolExecutor(64) as threads:
            served = Front(process, http, threads)
            until(lambda: served.is_ready() or not wait)
            try:
                yield served
            finally:
                end(served)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def end(served: Front) -> None:
    """Kill the server and its workers, whatever they wait for, so that no thread of the test waits for them."""
    if served.process.poll() is None:
        family = [*psutil.Process(served.process.pid).children(recursive=True), psutil.Process(served.process.pid)]
        for process in family:
            with suppress(psutil.NoSuchProcess):  # one may end the moment its parent does
                process.kill()
        until_gone(family)


def until_gone(processes: Sequence[psutil.Process]) -> None:
    """Until all have ended, whether or not whoever inherited them from a dead parent has noticed."""
    until(lambda: all(map(_is_gone, processes)))


def _is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_not_ready(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1


def spec(folder: Path, backend: str = "onnxruntime", name: str = "") -> VariantSpec:
    return VariantSpec(name or folder.name, folder, backend)


class GatedModel:
    """A user's own model that answers what it is asked, and waits at a gate when it is asked "wait".

    `seen` is all that it was asked, in order. The gate is a FIFO: opening our end returns once the model is there.
    """

    CODE = """
from pathlib import Path

def model_fn(model_dir):
    return Path(model_dir)

def predict_fn(data, folder):
    with (folder / "seen").open("a") as seen:
        seen.write(data["inputs"] + "\\n")
    if data["inputs"] == "wait":
        (folder / "gate").read_text()
    return {"answered": data["inputs"]}
"""

    def __init__(self, folder: Path) -> None:
        self.spec = spec(write_code(folder, self.CODE), "python")
        self._folder = folder
        os.mkfifo(folder / "gate")

    @contextmanager
    def held(self) -> Iterator[None]:
        """The model waits at its gate from before the block until after it."""
        with (self._folder / "gate").open("w"):
            yield

    @property
    def seen(self) -> list[str]:
        return (self._folder / "seen").read_text().split()
