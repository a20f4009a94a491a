"""A multi-model endpoint: how long models take to be ready, and whether their memory comes back when they go."""

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.places import RUNS
from benchmarks.harness.results import Result, make_result, spread
from paretoserve.hosts.endpoint import Served
from paretoserve.hosts.process import served_by_process
from serving.front.model_memory import held_bytes

BACKEND = "onnxruntime"
QUESTION = {"inputs": "a charming film"}


def measure_multi_model(rounds: int, models: int, together: int) -> Result:
    """In each round `models` models are loaded, asked once and unloaded, `together` of them at a time.

    All are of the same folder under names of their own: each has a worker of its own. The server begins without kept
    calibrations, so the first load of all measures, and no other does.
    """
    model = benchmark_model()
    folder = model.variant("dense")
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        options = ("--multi-model", "--queue-deadline", "5")
        log = Path(RUNS) / "multi-model.log"
        with (
            served_by_process([f"{folder}@{BACKEND}"], log, options, environment=environment) as server,
            httpx.Client(base_url=server.url, timeout=300) as http,
        ):
            start_mib = held_bytes(_pids(server)) / 2**20
            first_s = _load(http, "first", folder)
            _unload(http, "first")
            taken = [
                {"round": number, "load_s": list(_round(http, folder, models, together))}
                | {"resident_mib": held_bytes(_pids(server)) / 2**20}
                for number in range(rounds)
            ]
    settings = {"model": model.source, "backend": BACKEND, "rounds": rounds, "models": models, "together": together}
    return make_result("multi-model", settings, taken, _summary(start_mib, first_s, taken))


def _pids(server: Served) -> list[int]:
    return [server.pid] if server.pid else []


def _round(http: httpx.Client, folder: Path, models: int, together: int) -> Iterator[float]:
    """Seconds of each load."""
    names = iter([f"model-{number}" for number in range(models)])
    while some := list(itertools.islice(names, together)):
        yield from [_load(http, name, folder) for name in some]
        for name in some:
            http.post(f"/models/{name}/invoke", json=QUESTION).raise_for_status()
        for name in some:
            _unload(http, name)


def _load(http: httpx.Client, name: str, folder: Path) -> float:
    started = time.perf_counter()
    http.post("/models", json={"model_name": name, "url": str(folder.absolute())}).raise_for_status()
    return time.perf_counter() - started


def _unload(http: httpx.Client, name: str) -> None:
    http.delete(f"/models/{name}").raise_for_status()


def _summary(start_mib: float, first_s: float, taken: list[dict[str, Any]]) -> dict[str, Any]:
    resident = [one["resident_mib"] for one in taken]
    return {
        "first_load_s": first_s,
        "load_s": spread([seconds for one in taken for seconds in one["load_s"]]),
        "start_mib": start_mib,
        "end_mib": resident[-1],
        "end_over_start": resident[-1] / start_mib,
        "end_over_first_round": resident[-1] / resident[0],
    }
