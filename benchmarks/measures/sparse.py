"""What zeros are worth: a BERT-base with 90 % of its weights pruned, in DeepSparse, beside the same model dense.

Timing only: the weights are random, and pruned without any training, so the answers mean nothing. How long a sparse
product takes depends on where the zeros are, not on what the other weights say.
"""

import os
import random
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from tokenizers import Tokenizer

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.places import ROOT, RUNS
from benchmarks.harness.results import Result, make_result, ratios, spread
from benchmarks.harness.sentences import load_sentences
from benchmarks.measures.sparse_engine import FIXED_TEXTS, FIXED_TOKENS, Opened, Setup, SpeedQuery, Workload
from model_store.errors import BackendError
from model_store.manifest import TOKENIZER_FILE
from paretoserve.environments.catalogue import create_environment
from paretoserve.terminal.progress import progress
from serving.cpu_plan import usable_cores

FOLDER = RUNS / "sparse"
SPARSITY = 0.9
LAYERS, WIDTH, HEADS, UNITS, VOCABULARY = 12, 768, 12, 3072, 30522


@dataclass(frozen=True, slots=True)
class Contestant:
    """A graph on an engine, and what it is asked."""

    name: str
    backend: str
    file: str
    workloads: tuple[Workload, ...] = ("sentences", "fixed")


DENSE = Contestant("deepsparse, dense", "deepsparse", "dense.deepsparse.onnx")
SPARSE = Contestant("deepsparse, 90 % sparse", "deepsparse", "sparse.deepsparse.onnx")
ONNXRUNTIME = Contestant("onnxruntime, dense", "onnxruntime", "dense.onnx", ("sentences",))
CONTESTANTS = (DENSE, SPARSE, ONNXRUNTIME)


class Engine:
    """A contestant's process, asked over its standard input."""

    def __init__(self, process: "subprocess.Popen[bytes]", setup: Setup) -> None:
        self._process, self._file = process, Path(setup.file).name
        self.opened = msgspec.json.decode(self._ask(setup), type=Opened)

    def texts_per_s(self, workload: Workload, seconds: float) -> float:
        return msgspec.json.decode(self._ask(SpeedQuery(workload, seconds)), type=float)

    def _ask(self, message: msgspec.Struct) -> bytes:
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None
        assert answers is not None, "this is a bug: both are pipes"
        asks.write(msgspec.json.encode(message) + b"\n")
        asks.flush()
        if not (line := answers.readline()):
            raise BackendError(f"The engine of {self._file!r} ended with {self._process.wait()}; it says why above.")
        return line


def measure_sparse(rounds: int, seconds: float, seed: int = 0) -> Result:
    """All contestants in every round, in an order of its own."""
    sentences, cores, rng = load_sentences(), usable_cores(), random.Random(seed)  # noqa: S311  no secret
    interpreters = {one.backend: create_environment(one.backend) for one in CONTESTANTS}
    make_graphs(FOLDER)
    ids = _token_ids(sentences.texts)
    taken: list[dict[str, Any]] = []
    with ExitStack() as stack, progress("Sparse weights") as report:
        engines = {}
        for number, one in enumerate(CONTESTANTS):
            report(f"compiling {one.name}", number / (len(CONTESTANTS) + rounds))
            setup = Setup(one.backend, str(FOLDER / one.file), len(cores), ids)
            engines[one] = stack.enter_context(_started(interpreters[one.backend], setup, cores))
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


def _round(engines: Mapping[Contestant, Engine], seconds: float, rng: random.Random) -> Iterator[dict[str, Any]]:
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


@contextmanager
def _started(interpreter: Path, setup: Setup, cores: Sequence[int]) -> Iterator[Engine]:
    """A process of the engine's own interpreter on these cores."""
    process = subprocess.Popen(
        [interpreter, "-m", "benchmarks.measures.sparse_engine"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    try:
        yield Engine(process, setup)
    finally:
        process.kill()
        process.communicate()


def _token_ids(texts: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    tokenizer = Tokenizer.from_file(str(benchmark_model().checkpoint / TOKENIZER_FILE))
    return tuple(tuple(tokenizer.encode(text).ids) for text in texts)


def make_graphs(folder: Path) -> None:
    """Write the graphs of all contestants, unless they are there; the same every time."""
    if folder.is_dir():
        return
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    _write_graphs(partial)
    partial.rename(folder)


def _write_graphs(folder: Path) -> None:
    import torch

    from networks.encoder.graph import onnx_graph, save_onnx
    from networks.encoder.modules import PackedEncoder
    from networks.encoder.onnx_operators import DEEPSPARSE
    from networks.encoder.shape import EncoderShape

    config = EncoderShape(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        head_size=WIDTH // HEADS,
        heads=(HEADS,) * LAYERS,
        units=(UNITS,) * LAYERS,
        labels=("negative", "positive"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = PackedEncoder(config).eval()
    save_onnx(onnx_graph(model), folder / ONNXRUNTIME.file)
    save_onnx(onnx_graph(model, DEEPSPARSE), folder / DENSE.file)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".layer." in name and weight.ndim == 2:
                least = weight.abs().flatten().kthvalue(round(SPARSITY * weight.numel())).values
                weight[weight.abs() <= least] = 0.0
    save_onnx(onnx_graph(model, DEEPSPARSE), folder / SPARSE.file)
