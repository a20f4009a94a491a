"""Processes are killed at random moments under load: is every request answered, does readiness tell the truth?

In the end the front is killed: is anything left of it after a second?
"""

import random
import threading
import time
from collections import Counter
from typing import Any

import psutil

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.results import Result, make_result
from benchmarks.harness.sentences import load_sentences
from benchmarks.harness.served import Served, served
from model_store.errors import ParetoServeError
from paretoserve.campaigns.compare import split_cores
from paretoserve.hosts.endpoint import is_ready

BACKEND = "onnxruntime"
CLIENTS = 8
# So long at the most from when all is ready until the next kill; the moments are the same in each run.
LONGEST_PAUSE_S, SEED = 3.0, 11
QUEUE_DEADLINE_S = 1.0
LOOK_S = 0.02


def measure_kills(seconds: float) -> Result:
    """`kill -9` of the worker, or of what runs beside it, for so many seconds; then of the front."""
    model, sentences = benchmark_model(), load_sentences()
    server_cores, client_cores = split_cores()
    options = ("--queue-deadline", str(QUEUE_DEADLINE_S))
    with served(f"{model.variant('dense')}@{BACKEND}", server_cores, client_cores, options) as server:
        killer = _Killer(server)
        with killer:
            result = server.load(sentences.bodies(), seconds=seconds, clients=CLIENTS, timeout_s=30.0)
        left = _left_of_the_front(server)
    outcomes = Counter(str(one.outcome) for one in result.records)
    refused = [one for one in result.records if one.outcome == 503]
    figures: dict[str, Any] = {
        "outcomes": dict(outcomes),
        "503_without_retry_after": sum(not one.retry_after for one in refused),
        "slowest_answer_s": max(one.seconds for one in result.records),
        "kills": killer.kills,
        "left_after_the_front_s_death": left,
    }
    settings = {
        "model": model.source,
        "sentences": sentences.source,
        "seconds": seconds,
        "longest_pause_s": LONGEST_PAUSE_S,
        "seed": SEED,
        "clients": CLIENTS,
        "queue_deadline_s": QUEUE_DEADLINE_S,
    }
    of_worker = [one for one in killer.kills if one["of"] == "worker"]
    summary = {
        "kills": len(killer.kills),
        "neither_200_nor_503": sum(outcomes.values()) - outcomes["200"] - outcomes["503"],
        "503_without_retry_after": figures["503_without_retry_after"],
        "slowest_answer_s": figures["slowest_answer_s"],
        "not_ready_after_s": [round(one["not_ready_s"], 3) for one in of_worker],
        "seconds_until_ready_again": [round(one["ready_again_s"], 2) for one in of_worker],
        "left_after_the_front_s_death": left,
    }
    return make_result("kills", settings, [figures], summary)


def _left_of_the_front(server: Served) -> int:
    """How many of its processes are left a second after its death."""
    front = server.front
    family = front.children(recursive=True)
    front.kill()
    time.sleep(1.0)
    return sum(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family)


class _Killer:
    """Kills a process at random moments; notes of what, when, and how long `/ping` took to follow."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._chance = random.Random(SEED)  # noqa: S311  the same moments in each run
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failed = False
        self.kills: list[dict[str, Any]] = []

    def __enter__(self) -> "_Killer":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failed:
            raise ParetoServeError("The readiness did not change within a minute of a kill.")

    def _run(self) -> None:
        front, began = self._server.front, time.monotonic()
        while not self._failed and not self._over.wait(self._chance.uniform(0.0, LONGEST_PAUSE_S)):
            worker = self._server.worker
            victim = self._chance.choice(sorted(front.children(recursive=True), key=lambda one: one.pid))
            killed = time.monotonic()
            victim.kill()
            kill: dict[str, Any] = {"of": "other", "at_s": killed - began}
            if victim == worker:
                not_ready_s = self._until(False, killed)
                kill |= {"of": "worker", "not_ready_s": not_ready_s, "ready_again_s": self._until(True, killed)}
            self.kills.append(kill)

    def _until(self, ready: bool, killed: float) -> float:
        """Seconds since the kill, once `/ping` says so."""
        while is_ready(self._server.url) != ready:
            if time.monotonic() > killed + 60:
                self._failed = True  # raised at the end of the block: an exception in this thread would be lost
                break
            time.sleep(LOOK_S)
        return time.monotonic() - killed
