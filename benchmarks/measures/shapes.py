"""BERT-base in the shapes that the write-ups end in, on their engines: how much faster than dense, with random weights.

Fewer layers and zeros on DeepSparse (compound sparsification), INT8 and pruned INT8 on OpenVINO (joint pruning,
quantization and distillation). Timing only; the answers mean nothing. A group's engines are loaded together and take
turns, so that a ratio is of two figures of the same round; each group has its baseline among them.
"""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.bert_base import HEADS, LAYERS, UNITS, Form, Order, write_graphs
from benchmarks.harness.graph_engine import FIXED_TOKENS, GraphEngine, Setup, Workload, graph_engine
from benchmarks.harness.model import token_ids
from benchmarks.harness.places import RUNS
from benchmarks.harness.results import Result, make_result, ratios, spread
from benchmarks.harness.sentences import load_sentences
from networks.encoder.counts import layer_macs_per_token
from paretoserve.environments.catalogue import interpreter_for
from paretoserve.terminal.progress import Progress, progress
from recipes.work.progress import part_of
from serving.cpu_plan import usable_cores

WORKLOADS: tuple[Workload, ...] = ("fixed", "sentences")

# DeepSparse compiles the graph anew for each width of rows, and keeps the weights of each.
CALL_TOKENS = (128,)
CALL_ROWS = (1, 8)

KEPT_MACS = 0.4
"""Of the multiplications, what pruning leaves in `jpqd`."""

# Engines multiply units in tiles of so many.
_UNITS_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Contestant:
    """A form of BERT-base on an engine."""

    form: Form
    order: Order

    def described(self) -> dict[str, Any]:
        return {**asdict(self.form), **asdict(self.order)}


@dataclass(frozen=True, slots=True)
class Group:
    """Contestants that are compared with `baseline`, which takes part."""

    name: str
    baseline: Contestant
    others: tuple[Contestant, ...]

    @property
    def all(self) -> tuple[Contestant, ...]:
        return (self.baseline, *self.others)


DENSE = Contestant(Form(), Order("onnxruntime"))
OPENVINO = Contestant(Form(), Order("openvino"))


@dataclass(frozen=True, slots=True)
class ShapesBenchmark:
    """How long everything is measured, and which layers and shares of zeros."""

    rounds: int
    seconds: float
    layers: tuple[int, ...] = (12, 6, 3)
    sparsities: tuple[float, ...] = (0.0, 0.7, 0.8, 0.9)
    seed: int = 0


def pruned_form() -> Form:
    """What pruning to `KEPT_MACS` of the multiplications leaves, the same in each layer: heads, then units."""
    limit = KEPT_MACS * layer_macs_per_token(Form().shape, 0, FIXED_TOKENS)
    heads = round(KEPT_MACS * HEADS)
    fitting = (
        Form(heads=heads, units=units)
        for units in range(UNITS, 0, -_UNITS_TOGETHER)
        if layer_macs_per_token(Form(heads=heads, units=units).shape, 0, FIXED_TOKENS) <= limit
    )
    return next(fitting)


def groups_of(plan: ShapesBenchmark) -> list[Group]:
    """By layers, which is as many models as fit into memory together; and those of OpenVINO."""
    found = []
    for layers in plan.layers:
        forms = [Form(layers, sparsity=sparsity) for sparsity in plan.sparsities]
        every = [Contestant(form, Order(backend)) for form in forms for backend in ("onnxruntime", "deepsparse")]
        found.append(Group(f"{layers} layers", DENSE, tuple(one for one in every if one != DENSE)))
    int8 = Order("openvino", "int8")
    return [*found, Group("int8", OPENVINO, (Contestant(Form(), int8), Contestant(pruned_form(), int8)))]


def measure_shapes(plan: ShapesBenchmark) -> Result:
    """All contestants of a group in every round, in an order of its own; group after group.

    Raises:
        EnvironmentUnavailable: an engine is not installed.
    """
    sentences, cores, groups = load_sentences(), usable_cores(), groups_of(plan)
    interpreters = {one.order.backend: interpreter_for(one.order.backend) for group in groups for one in group.all}
    run = _Run(plan, interpreters, token_ids(sentences.texts), cores)
    with progress("Shapes of BERT-base") as report:
        for number, group in enumerate(groups):
            run.measure(group, part_of(report, number, len(groups)))
    settings = {
        "model": f"BERT-base ({LAYERS} layers, 768 wide, {HEADS} heads, {UNITS} units) and parts of it, random weights",
        "sentences": sentences.source,
        "fixed": f"texts of {FIXED_TOKENS} tokens",
        "call_rows": CALL_ROWS,
        "call_tokens": CALL_TOKENS,
        "seconds": plan.seconds,
        "streams": len(cores),
        "threads_per_stream": 1,
        "engines": run.opened,
    }
    return make_result("shapes", settings, run.taken, {"rows": summarized(groups, run.taken)})


class _Run:
    """What was taken so far, and what ran."""

    def __init__(
        self,
        plan: ShapesBenchmark,
        interpreters: Mapping[str, str],
        sentences: tuple[tuple[int, ...], ...],
        cores: Sequence[int],
    ) -> None:
        self._plan, self._interpreters, self._sentences, self._cores = plan, interpreters, sentences, cores
        self._rng = random.Random(plan.seed)  # noqa: S311  no secret
        self.taken: list[dict[str, Any]] = []
        self.opened: dict[str, dict[str, Any]] = {}

    def measure(self, group: Group, report: Progress) -> None:
        """The graphs of a group are written, measured and removed: gigabytes."""
        RUNS.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shapes-", dir=RUNS)))
            engines, steps = {}, 2 * len(group.all) + self._plan.rounds
            for number, (one, file) in enumerate(_written(group, folder)):
                report(f"{group.name}: opening {_name(one)}", number / steps)
                interpreter = self._interpreters[one.order.backend]
                engines[one] = stack.enter_context(graph_engine(interpreter, self._setup(one, file), self._cores))
                self.opened[_name(one)] = msgspec.to_builtins(engines[one].opened)
            for number in range(self._plan.rounds):
                report(f"{group.name}: round {number + 1}", (2 * len(group.all) + number) / steps)
                taken = _round(engines, self._plan.seconds, self._rng)
                self.taken += [{"group": group.name, "round": number, **figures} for figures in taken]

    def _setup(self, one: Contestant, file: Path) -> Setup:
        return Setup(
            backend=one.order.backend,
            file=str(file),
            precision=one.order.precision,
            streams=len(self._cores),
            sentences=self._sentences,
            call_tokens=CALL_TOKENS,
            call_rows=CALL_ROWS,
        )


def _written(group: Group, folder: Path) -> Iterator[tuple[Contestant, Path]]:
    """Each contestant with its graph, the graphs of a form written together."""
    forms = dict.fromkeys(one.form for one in group.all)
    for number, form in enumerate(forms):
        orders = tuple(one.order for one in group.all if one.form == form)
        files = write_graphs(form, orders, folder / str(number))
        yield from ((Contestant(form, order), files[order]) for order in orders)


def _round(engines: Mapping[Contestant, GraphEngine], seconds: float, rng: random.Random) -> Iterator[dict[str, Any]]:
    asked = [(one, workload) for one in engines for workload in WORKLOADS]
    for one, workload in rng.sample(asked, len(asked)):
        speed = engines[one].texts_per_s(workload, seconds)
        yield {"contestant": _name(one), "workload": workload, "texts_per_s": speed}


def summarized(groups: Sequence[Group], taken: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of each contestant what it is, its speed by workload, and its ratios to the baseline of its group."""

    def speeds(group: Group, one: Contestant, workload: Workload) -> list[float]:
        mine = [
            row
            for row in taken
            if (row["group"], row["contestant"], row["workload"]) == (group.name, _name(one), workload)
        ]
        return [row["texts_per_s"] for row in sorted(mine, key=lambda row: row["round"])]

    def figures(group: Group, one: Contestant, workload: Workload) -> dict[str, Any]:
        own, base = speeds(group, one, workload), speeds(group, group.baseline, workload)
        return {"texts_per_s": spread(own), "times_baseline": spread(ratios(own, base))}

    return [
        {"group": group.name, **one.described(), **{work: figures(group, one, work) for work in WORKLOADS}}
        for group in groups
        for one in group.all
    ]


def _name(one: Contestant) -> str:
    form = one.form
    pruned = "" if (form.heads, form.units) == (HEADS, UNITS) else f", {form.heads} heads, {form.units} units"
    zeros = f", {form.sparsity:.0%} zeros" if form.sparsity else ""
    return f"{form.layers} layers{pruned}{zeros}, {one.order.precision}@{one.order.backend}"
