"""The worker is killed again and again under load: is every request answered, and does readiness tell the truth?"""

import signal
import threading
import time
from collections import Counter
from typing import Any

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.results import Result, make_result
from benchmarks.harness.sentences import load_sentences
from benchmarks.harness.served import Served, served
from model_store.errors import ParetoServeError
from paretoserve.campaigns.compare import split_cores
from paretoserve.hosts.endpoint import is_ready

BACKEND = "onnxruntime"
CLIENTS = 8
EVERY_S = 5.0
QUEUE_DEADLINE_S = 1.0
LOOK_S = 0.02


def measure_kills(seconds: float) -> Result:
    """`kill -9` of the worker every few seconds, as often as it is ready by then."""
    model, sentences = benchmark_model(), load_sentences()
    server_cores, client_cores = split_cores()
    options = ("--queue-deadline", str(QUEUE_DEADLINE_S))
    with served(f"{model.variant('dense')}@{BACKEND}", server_cores, client_cores, options) as server:
        killer = _Killer(server)
        with killer:
            result = server.load(sentences.bodies(), seconds=seconds, clients=CLIENTS, timeout_s=30.0)
    outcomes = Counter(str(one.outcome) for one in result.records)
    refused = [one for one in result.records if one.outcome == 503]
    figures: dict[str, Any] = {
        "outcomes": dict(outcomes),
        "503_without_retry_after": sum(not one.retry_after for one in refused),
        "slowest_answer_s": max(one.seconds for one in result.records),
        "kills": killer.kills,
        "readiness": killer.readiness,
    }
    settings = {
        "model": model.source,
        "sentences": sentences.source,
        "seconds": seconds,
        "every_s": EVERY_S,
        "clients": CLIENTS,
        "queue_deadline_s": QUEUE_DEADLINE_S,
    }
    summary = {
        "kills": len(killer.kills),
        "neither_200_nor_503": sum(outcomes.values()) - outcomes["200"] - outcomes["503"],
        "503_without_retry_after": figures["503_without_retry_after"],
        "slowest_answer_s": figures["slowest_answer_s"],
        "seconds_until_ready_again": [round(one["ready_again_s"], 2) for one in killer.kills],
        "readiness_flips": len(killer.readiness),
    }
    return make_result("kills", settings, [figures], summary)


class _Killer:
    """Kills the worker every `EVERY_S` seconds and notes each change of `/ping`."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._began = 0.0
        self._failed = False
        self.kills: list[dict[str, float]] = []
        self.readiness: list[dict[str, Any]] = []

    def __enter__(self) -> "_Killer":
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failed:
            raise ParetoServeError("The readiness did not change within a minute of a kill.")

    def _run(self) -> None:
        while not self._failed and not self._over.wait(EVERY_S):
            victim = self._server.worker
            at_s = time.monotonic() - self._began
            victim.send_signal(signal.SIGKILL)
            self._note(False, until=lambda: not is_ready(self._server.url))
            self._note(True, until=lambda: is_ready(self._server.url))
            self.kills.append({"at_s": at_s, "ready_again_s": time.monotonic() - self._began - at_s})

    def _note(self, ready: bool, until: Any) -> None:
        give_up_at = time.monotonic() + 60
        while not until():
            if time.monotonic() > give_up_at:
                self._failed = True  # raised at the end of the block: an exception in this thread would be lost
                return
            time.sleep(LOOK_S)
        self.readiness.append({"at_s": time.monotonic() - self._began, "ready": ready})
