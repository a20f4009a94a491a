"""What the server costs: answers a second and response times beside what the engine alone does in the same minute."""

import operator
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.engine import engine_alone, engine_limits
from benchmarks.harness.model import benchmark_model
from benchmarks.harness.results import Result, make_result, ratios, spread
from benchmarks.harness.sentences import Sentences, load_sentences
from benchmarks.harness.served import Served, served
from paretoserve.campaigns.compare import split_cores

BACKENDS = ("onnxruntime", "openvino")
WARM_UP_REQUESTS = 300

TURN = 40
"""Sentences that engine and server take in turn: the machine changes its pace from minute to minute, and what is
looked for is a tenth of what it changes by."""


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
                figures = {
                    **_many_clients(server, variant, backend, sentences, seconds, clients, server_cores),
                    **_one_client(server, variant, backend, sentences, server_cores),
                }
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


def _many_clients(
    server: Served,
    variant: Path,
    backend: str,
    sentences: Sentences,
    seconds: float,
    clients: int,
    cores: Sequence[int],
) -> dict[str, Any]:
    limits = engine_limits(variant, backend, sentences.texts, cores)
    many = server.load(sentences.bodies(), seconds=seconds, clients=clients)
    return {
        "call_tokens": server.variant["call_tokens"],
        "engine_one_by_one_per_s": limits.one_by_one,
        "engine_packed_per_s": {str(budget): speed for budget, speed in limits.packed.items()},
        "engine_packed_in_arrival_order_per_s": limits.packed_in_arrival_order,
        "engine_best_order_per_s": limits.best_order,
        "many_clients": many.figures(),
    }


def _one_client(
    server: Served, variant: Path, backend: str, sentences: Sentences, cores: Sequence[int]
) -> dict[str, Any]:
    """Engine and server take turns, and turns at being the first."""
    engine_s: list[float] = []
    served_s: list[float] = []
    with engine_alone(variant, backend, sentences.texts, cores) as engine:
        for start in range(0, len(sentences.texts), TURN):
            turn = range(start, min(start + TURN, len(sentences.texts)))
            if (start // TURN) % 2:
                served_s += _served_alone(server, sentences, turn)
                engine_s += engine(turn)
            else:
                engine_s += engine(turn)
                served_s += _served_alone(server, sentences, turn)
    return {
        "engine_alone_p50_ms": statistics.median(engine_s) * 1e3,
        "one_client_p50_ms": statistics.median(served_s) * 1e3,
        "over_the_engine_p50_ms": statistics.median(map(operator.sub, served_s, engine_s)) * 1e3,
    }


def _served_alone(server: Served, sentences: Sentences, turn: range) -> list[float]:
    bodies = tuple(sentences.bodies()[place] for place in turn)
    return [one.seconds for one in server.load(bodies, requests=len(bodies), clients=1).records]


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
