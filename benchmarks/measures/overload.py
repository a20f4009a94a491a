"""Three times more requests than the server can answer: who is answered, who is refused and how soon, what grows."""

import statistics
import threading
from typing import Any

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.results import Result, make_result
from benchmarks.harness.sentences import load_sentences
from benchmarks.harness.served import PATIENT, Served, served
from loadtest.generator.lean.plan import ClientResult, percentiles_ms
from loadtest.plan.arrivals import Arrivals
from paretoserve.campaigns.compare import split_cores

BACKEND = "onnxruntime"
QUEUE_DEADLINE_S = 0.5
SAMPLE_S = 1.0


def measure_overload(seconds: float, times_capacity: tuple[float, ...] = (3.0, 10.0, 20.0)) -> Result:
    """Capacity is what 16 closed-loop clients get; the load after it is open-loop, Poisson."""
    model, sentences = benchmark_model(), load_sentences()
    server_cores, client_cores = split_cores()
    candidate, bodies = f"{model.variant('dense')}@{BACKEND}", sentences.bodies()
    taken: list[dict[str, Any]] = []
    for times in times_capacity:
        with served(candidate, server_cores, client_cores, PATIENT) as server:
            server.load(bodies, seconds=3.0, clients=16)
            capacity = server.load(bodies, seconds=8.0, clients=16).figures()["requests_per_s"]
            assert isinstance(capacity, float), "this is a bug: a rate is a number"
        options = ("--queue-deadline", str(QUEUE_DEADLINE_S))
        with served(candidate, server_cores, client_cores, options) as server:
            server.load(bodies, seconds=3.0, clients=16)
            memory = _Memory(server)
            with memory:
                arrivals = Arrivals("poisson", times * capacity)
                result = server.load(bodies, seconds=seconds, arrivals=arrivals, timeout_s=10.0)
            taken.append({"times_capacity": times, "capacity_per_s": capacity, **_figures(result, memory, capacity)})
    settings = {
        "model": model.source,
        "sentences": sentences.source,
        "seconds": seconds,
        "queue_deadline_s": QUEUE_DEADLINE_S,
        "server_cores": list(server_cores),
        "client_cores": list(client_cores),
    }
    return make_result("overload", settings, taken, {str(one["times_capacity"]): _summary(one) for one in taken})


class _Memory:
    """Samples what front and worker have resident, once a second."""

    def __init__(self, server: Served) -> None:
        self._processes = (server.front, server.worker)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.mib: list[float] = []

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.mib.append(sum(process.memory_info().rss for process in self._processes) / 2**20)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth_mib(self) -> float:
        """From the second quarter, when caches are full, to the last."""
        quarter = max(1, len(self.mib) // 4)
        return statistics.mean(self.mib[-quarter:]) - statistics.mean(self.mib[quarter : 2 * quarter])


def _figures(result: ClientResult, memory: _Memory, capacity_per_s: float) -> dict[str, Any]:
    refused = [one for one in result.records if one.outcome == 429]
    answered = [one for one in result.records if one.outcome == 200]
    in_time = [one for one in answered if one.seconds <= QUEUE_DEADLINE_S]
    return {
        "client": result.figures(),
        "answered_in_time_per_s": len(in_time) / result.seconds,
        "answered_in_time_of_capacity": len(in_time) / result.seconds / capacity_per_s,
        "refused": len(refused),
        "refused_without_retry_after": sum(not one.retry_after for one in refused),
        "refusal": percentiles_ms([one.seconds for one in refused]),
        "neither_answered_nor_refused": len(result.records) - len(answered) - len(refused),
        "memory_mib": [round(one, 1) for one in memory.mib],
        "memory_growth_mib": memory.growth_mib,
    }


def _summary(figures: dict[str, Any]) -> dict[str, Any]:
    kept = "answered_in_time_of_capacity neither_answered_nor_refused refused_without_retry_after refusal"
    return {name: figures[name] for name in (*kept.split(), "memory_growth_mib")}
