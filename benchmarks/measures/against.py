"""Whether this clone is slower than an older one: both measured in pairs, taking turns, on the same machine.

Each clone serves with its own code, and both serve the same variant, which the old clone has built. The client is this
clone's. `front` is each clone's own benchmark, since the worker that answers at once speaks its own clone's protocol.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.clones import NEW, OLD, Clone, clones
from benchmarks.harness.intervals import ratio_interval
from benchmarks.harness.model import benchmark_model
from benchmarks.harness.places import RUNS
from benchmarks.harness.results import Result, make_result, ratios
from benchmarks.harness.sentences import SST2, Sentences, load_sentences
from benchmarks.harness.served import PATIENT, Served
from model_store.errors import ParetoServeError
from model_store.manifest import MANIFEST_FILE
from paretoserve.campaigns.compare import split_cores
from paretoserve.hosts.process import running_server
from paretoserve.terminal.progress import progress

FOLDER = RUNS / "against"
WARM_UP_REQUESTS = 200
CONNECTIONS = (16, 64)

LEAST_RATE = 0.97
"""Requests/s have regressed where all of the interval of new over old is below this."""
MOST_TIME = 1.05
"""Times have regressed where all of the interval of new over old is above this. It is wider than for requests/s since
single times are read less exactly: a start, of two or three seconds, to a tenth of a second."""

CLIENTS, ONE_CLIENT, START = "requests/s, many clients", "one client, p50, ms", "start, s"
TIMES = (ONE_CLIENT, START)

Figures = dict[str, float]
"""What was measured of one clone in one pair, by name."""


@dataclass(frozen=True, slots=True)
class AgainstPlan:
    """How often, and for how many seconds each turn."""

    pairs: int = 12
    seconds: float = 2.0
    clients: int = 16
    backend: str = "onnxruntime"


@dataclass(frozen=True, slots=True)
class _Bench:
    """What is the same for every pair."""

    plan: AgainstPlan
    candidate: str
    sentences: Sentences
    work: Path


def measure_against(old: Path, plan: AgainstPlan) -> Result:
    """Pairs of the old clone and this one; whichever comes first in one pair comes second in the next.

    Raises:
        ParetoServeError: there is no wrk, or one of the clones cannot be measured.
    """
    if shutil.which("wrk") is None:
        raise ParetoServeError("The front is measured with wrk, which is not installed: apt-get install wrk.")
    sentences = load_sentences()
    with clones(old) as both, tempfile.TemporaryDirectory() as work, progress("Old against new") as report:
        report("building the variant", 0.0)
        variant = built_by(both[0], sentences)
        bench = _Bench(plan, f"{variant}@{plan.backend}", sentences, Path(work))
        taken = []
        for number in range(plan.pairs):
            report(f"pair {number + 1} of {plan.pairs}", number / plan.pairs)
            order = both[:: -1 if number % 2 else 1]
            taken.append({"first": order[0].name, **_pair(order, bench)})
    server_cores, client_cores = split_cores()
    settings = {
        **{clone.name: clone.commit for clone in both},
        "model": benchmark_model().source,
        "backend": plan.backend,
        "sentences": sentences.source,
        "pairs": plan.pairs,
        "seconds": plan.seconds,
        "clients": plan.clients,
        "server_cores": list(server_cores),
        "client_cores": list(client_cores),
    }
    return make_result("against", settings, taken, summarized(taken))


def built_by(clone: Clone, sentences: Sentences) -> Path:
    """The dense variant of the benchmark's model, made once by this clone: newer ones read what it wrote."""
    store = FOLDER / clone.commit / "store"
    variant = store / "model" / "dense"
    if not (variant / MANIFEST_FILE).is_file():
        store.mkdir(parents=True, exist_ok=True)
        data = SST2 if SST2.is_dir() else _write_rows(sentences, store.parent / "data" / "dev.tsv")
        clone.run(
            [
                *("-m", "paretoserve", "build", "--recipe", "dense", "--name", "model", "--store", str(store)),
                *("--checkpoint", str(benchmark_model().checkpoint), "--data", str(data)),
            ],
            store,
        )
    return variant


def _write_rows(sentences: Sentences, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"{text}\t{place % 2}\n" for place, text in enumerate(sentences.texts))
    file.write_text("sentence\tlabel\n" + "".join(rows))
    return file


def _pair(order: Sequence[Clone], bench: _Bench) -> dict[str, Figures]:
    """Both servers are up at once and are asked in turns, first, second, second, first: a drift cancels out."""
    found: dict[str, Figures] = {clone.name: {} for clone in order}
    bodies, plan = bench.sentences.bodies(), bench.plan
    with ExitStack() as stack:
        servers = {}
        for clone in order:
            began_s = time.perf_counter()
            servers[clone.name] = stack.enter_context(_served(clone, bench))
            found[clone.name][START] = time.perf_counter() - began_s
        for server in servers.values():
            server.load(bodies, requests=WARM_UP_REQUESTS, clients=plan.clients)
        many = _in_turns(servers, bodies, plan.seconds, plan.clients)
        alone = _in_turns(servers, bodies, plan.seconds, clients=1)
    for clone in order:
        found[clone.name][CLIENTS] = statistics.mean(one["requests_per_s"] for one in many[clone.name])
        found[clone.name][ONE_CLIENT] = statistics.mean(one["p50_ms"] for one in alone[clone.name])
        found[clone.name] |= _front(clone, bench)
    return found


@contextmanager
def _served(clone: Clone, bench: _Bench) -> Iterator[Served]:
    server_cores, client_cores = split_cores()
    log = bench.work / f"{clone.name}.log"
    environment = clone.environment
    with running_server([bench.candidate], log, PATIENT, server_cores, environment=environment) as url:
        yield Served(url, client_cores)


def _in_turns(
    servers: Mapping[str, Served], bodies: tuple[bytes, ...], seconds: float, clients: int
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
    names = list(servers)
    for name in names + names[::-1]:
        figures: dict[str, Any] = servers[name].load(bodies, seconds=seconds, clients=clients).figures()
        if figures["not_200"]:
            raise ParetoServeError(f"The {name} server did not answer 200 to all requests: {figures['outcomes']}")
        found[name].append(figures)
    return found


def _front(clone: Clone, bench: _Bench) -> Figures:
    seconds = f"{max(1, round(bench.plan.seconds))}"
    command = ["-m", "benchmarks", "front", "--rounds", "1", "--seconds", seconds, "--out", str(bench.work)]
    clone.run(command, bench.work)
    summary = msgspec.json.decode((bench.work / "front.json").read_bytes(), type=Result).summary
    return {_front_name(connections): summary[str(connections)]["median"] for connections in CONNECTIONS}


def _front_name(connections: int) -> str:
    return f"front, {connections} connections, requests/s"


def summarized(taken: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of each figure the medians, the ratio of new to old over the pairs, and whether it has regressed."""
    names = taken[0][OLD]
    return {
        name: _summary(name, [one[OLD][name] for one in taken], [one[NEW][name] for one in taken]) for name in names
    }


def _summary(name: str, old: Sequence[float], new: Sequence[float]) -> dict[str, Any]:
    interval = ratio_interval(ratios(new, old))
    if name in TIMES:
        regressed = interval.low is not None and interval.low > MOST_TIME
    else:
        regressed = interval.high is not None and interval.high < LEAST_RATE
    return {
        "old": statistics.median(old),
        "new": statistics.median(new),
        **msgspec.to_builtins(interval),
        "regressed": regressed,
    }


def regressions(result: Result) -> list[str]:
    """A sentence for each figure that is clearly worse than before."""
    return [_regression(name, one) for name, one in result.summary.items() if one["regressed"]]


def _regression(name: str, one: Mapping[str, Any]) -> str:
    limit = f"above {MOST_TIME}" if name in TIMES else f"below {LEAST_RATE}"
    return f"{name}: new over old is {one['ratio']:.3f} ({one['low']:.3f} to {one['high']:.3f}), all of it {limit}."
