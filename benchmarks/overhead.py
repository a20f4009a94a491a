"""What the server costs: answers a second and response times beside what the engine alone does in the same minute."""

import statistics
from typing import Any

from benchmarks.engine import Limits, engine_limits
from benchmarks.model import benchmark_model
from benchmarks.plan import ClientResult
from benchmarks.results import Result, make_result, ratios, spread
from benchmarks.sentences import load_sentences
from benchmarks.served import Served, served
from paretoserve.compare import split_cores

BACKENDS = ("onnxruntime", "openvino")
WARM_UP_REQUESTS = 300


def measure_overhead(rounds: int, seconds: float, clients: int) -> Result:
    """For each backend: engine alone, `clients` closed-loop clients, one client; side by side in every round."""
    model, sentences = benchmark_model(), load_sentences()
    server_cores, client_cores = split_cores()
    taken: list[dict[str, Any]] = []
    for backend in BACKENDS:
        variant = model.variant("dense")
        with served(f"{variant}@{backend}", server_cores, client_cores) as server:
            server.load(sentences.bodies(), requests=WARM_UP_REQUESTS)
            for number in range(rounds):
                limits = engine_limits(variant, backend, sentences.texts, server_cores)
                figures = _round(server, limits, sentences.bodies(), seconds, clients)
                taken.append({"backend": backend, "round": number, **figures})
    settings = {
        "model": model.source,
        "sentences": sentences.source,
        "clients": clients,
        "seconds": seconds,
        "server_cores": list(server_cores),
        "client_cores": list(client_cores),
    }
    return make_result("overhead", settings, taken, {one: _summary(taken, one) for one in BACKENDS})


def _round(server: Served, limits: Limits, bodies: tuple[bytes, ...], seconds: float, clients: int) -> dict[str, Any]:
    many = server.load(bodies, seconds=seconds, clients=clients)
    one = server.load(bodies, seconds=seconds, clients=1)
    return {
        "call_tokens": server.variant["call_tokens"],
        "engine_one_by_one_per_s": limits.one_by_one,
        "engine_packed_per_s": {str(budget): speed for budget, speed in limits.packed.items()},
        "engine_packed_in_arrival_order_per_s": limits.packed_in_arrival_order,
        "engine_best_order_per_s": limits.best_order,
        "engine_alone_p50_ms": statistics.median(limits.alone_s) * 1e3,
        "many_clients": many.figures(),
        "one_client": one.figures(),
        "over_the_engine_p50_ms": _over_the_engine_ms(one, limits),
    }


def _over_the_engine_ms(result: ClientResult, limits: Limits) -> float:
    """The median of what a response takes longer than the engine takes for that sentence."""
    return statistics.median(one.seconds - limits.alone_s[one.body] for one in result.in_time()) * 1e3


def _summary(taken: list[dict[str, Any]], backend: str) -> dict[str, Any]:
    mine = [one for one in taken if one["backend"] == backend]
    served_per_s = [one["many_clients"]["requests_per_s"] for one in mine]
    return {
        "requests_per_s": spread(served_per_s),
        "of_the_engine_packed_in_arrival_order": spread(
            ratios(served_per_s, [one["engine_packed_in_arrival_order_per_s"] for one in mine])
        ),
        "of_the_engine_in_the_best_order": spread(
            ratios(served_per_s, [one["engine_best_order_per_s"] for one in mine])
        ),
        "of_the_engine_one_by_one": spread(ratios(served_per_s, [one["engine_one_by_one_per_s"] for one in mine])),
        "over_the_engine_p50_ms": spread([one["over_the_engine_p50_ms"] for one in mine]),
    }
