"""What zeros are worth: a BERT-base with 90 % of its weights pruned, in DeepSparse, beside the same model dense.

Timing only: the weights are random, and pruned without any training, so the answers mean nothing. How long a sparse
product takes depends on where the zeros are, not on what the other weights say.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.bert_base import Form, Order, write_graphs
from benchmarks.harness.graph_engine import FIXED_TOKENS, GraphEngine, Setup, Workload, graph_engine
from benchmarks.harness.model import token_ids
from benchmarks.harness.places import RUNS
from benchmarks.harness.results import Result, make_result, ratios, spread
from benchmarks.harness.sentences import load_sentences
from paretoserve.environments.catalogue import create_environment
from paretoserve.terminal.progress import progress
from serving.cpu_plan import usable_cores

FOLDER = RUNS / "sparse-graphs"
SPARSITY = 0.9
BUDGETS, FIXED_TEXTS = (64, 128, 256), 16


@dataclass(frozen=True, slots=True)
class Contestant:
    """A graph on an engine, and what it is asked."""

    name: str
    backend: str
    form: Form
    workloads: tuple[Workload, ...] = ("sentences", "fixed")


DENSE = Contestant("deepsparse, dense", "deepsparse", Form())
SPARSE = Contestant("deepsparse, 90 % sparse", "deepsparse", Form(sparsity=SPARSITY))
ONNXRUNTIME = Contestant("onnxruntime, dense", "onnxruntime", Form(), ("sentences",))
CONTESTANTS = (DENSE, SPARSE, ONNXRUNTIME)


def measure_sparse(rounds: int, seconds: float, seed: int = 0) -> Result:
    """All contestants in every round, in an order of its own."""
    sentences, cores, rng = load_sentences(), usable_cores(), random.Random(seed)  # noqa: S311  no secret
    interpreters = {one.backend: create_environment(one.backend) for one in CONTESTANTS}
    files = make_graphs(FOLDER)
    ids = token_ids(sentences.texts)
    taken: list[dict[str, Any]] = []
    with ExitStack() as stack, progress("Sparse weights") as report:
        engines = {}
        for number, one in enumerate(CONTESTANTS):
            report(f"compiling {one.name}", number / (len(CONTESTANTS) + rounds))
            setup = Setup(
                backend=one.backend,
                file=str(files[one]),
                streams=len(cores),
                sentences=ids,
                call_tokens=BUDGETS,
                call_rows=(FIXED_TEXTS // len(cores),),
            )
            engines[one] = stack.enter_context(graph_engine(str(interpreters[one.backend]), setup, cores))
        for number in range(rounds):
            report(f"round {number + 1}", (len(CONTESTANTS) + number) / (len(CONTESTANTS) + rounds))
            taken += [{"round": number, **figures} for figures in _round(engines, seconds, rng)]
    settings = {
        "model": "BERT-base with random weights, 90 % of each matrix pruned by magnitude where sparse: for timing only",
        "sentences": sentences.source,
        "fixed": f"{FIXED_TEXTS} texts of {FIXED_TOKENS} tokens",
        "seconds": seconds,
        "streams": len(cores),
        "threads_per_stream": 1,
        "engines": {one.name: msgspec.to_builtins(engine.opened) for one, engine in engines.items()},
    }
    return make_result("sparse", settings, taken, summarized(taken))


def _round(engines: Mapping[Contestant, GraphEngine], seconds: float, rng: random.Random) -> Iterator[dict[str, Any]]:
    asked = [(one, workload) for one in engines for workload in one.workloads]
    for one, workload in rng.sample(asked, len(asked)):
        speed = engines[one].texts_per_s(workload, seconds)
        yield {"contestant": one.name, "workload": workload, "texts_per_s": speed}


def summarized(taken: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Speeds over all rounds, and their ratios within each."""

    def speeds(one: Contestant, workload: Workload) -> list[float]:
        mine = [row for row in taken if (row["contestant"], row["workload"]) == (one.name, workload)]
        return [row["texts_per_s"] for row in mine]

    packed, fixed = speeds(SPARSE, "sentences"), speeds(SPARSE, "fixed")
    return {
        "texts_per_s": {
            workload: {one.name: spread(speeds(one, workload)) for one in CONTESTANTS if workload in one.workloads}
            for workload in DENSE.workloads
        },
        "sparse_over_its_own_dense": spread(ratios(packed, speeds(DENSE, "sentences"))),
        "sparse_over_dense_onnxruntime": spread(ratios(packed, speeds(ONNXRUNTIME, "sentences"))),
        "fixed_sparse_over_its_own_dense": spread(ratios(fixed, speeds(DENSE, "fixed"))),
    }


def make_graphs(folder: Path) -> dict[Contestant, Path]:
    """The graphs of all contestants, written unless they are there; the same every time."""
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        for one in CONTESTANTS:
            write_graphs(one.form, (Order(one.backend),), partial / _name(one))
        partial.rename(folder)
    found = {one: list((folder / _name(one)).rglob("*.onnx")) for one in CONTESTANTS}
    return {one: file for one, (file,) in found.items()}


def _name(one: Contestant) -> str:
    return f"{one.backend}-{one.form.sparsity:g}"
