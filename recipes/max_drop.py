"""INT8 that may lose so much and no more: some layers stay in fp32, and if that is not enough, the weights are trained.

What is lost is measured by the engine itself, on rows split off the train split: the rows to measure on see the result
alone.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from model_store.errors import RecipeError
from model_store.manifest import LineageStep, sha256_of
from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint
from networks.config import read_shape
from recipes.data.tokenizer import write_tokenizer
from recipes.data.tokens import load_tokenizer
from recipes.export.base import BuiltArtifact
from recipes.export.calibration import calibration_inputs
from recipes.export.precisions import Precision
from recipes.export.variant import ExportInput, export
from recipes.training.evaluation import Evaluation
from recipes.training.rounding import input_ranges, linear_modules, rounding_costs
from recipes.work.folder import fingerprint, write_whole
from recipes.work.progress import Progress, silent

Score = Callable[[str, BuiltArtifact, Path, int, tuple[Row, ...]], float]
"""What a backend's artifact, in a folder with its tokenizer, scores on rows; texts are cut at so many tokens.

On the scale of the task's metric, of which a point is a hundredth. The engine that will serve the artifact is asked.
"""

LARGEST_SHARE = 0.25
"""Of the linear layers, so many may stay in fp32 at most."""

# To see which layers' rounding costs most, so many texts are enough.
_RANKING_ROWS = 256


@dataclass(frozen=True, slots=True)
class Limit:
    """INT8 may lose `points` of the score in fp32 on the same engine.

    That is the score of the same weights, or what `against` has for a backend: then weights that lose more before they
    are rounded are not rounded at all.
    """

    points: float
    score: Score
    against: Mapping[str, float] = field(default_factory=dict)


class LimitExceeded(RecipeError):
    """Nothing that was tried holds the limit; `drop` is the best figure, in points."""

    def __init__(self, message: str, drop: float) -> None:
        self.drop = drop
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was lost, in points, on a backend with so many linear layers in fp32; `qat` says whether after training."""

    backend: str
    qat: bool
    in_fp32: int
    drop: float


@dataclass(frozen=True, slots=True)
class Held:
    """What holds the limit: the checkpoint to export, and the linear layers to leave in fp32, by backend.

    `trained_by` is the lineage where the checkpoint was trained for it. The search took `seconds`, without training.
    """

    checkpoint: Path
    in_fp32: dict[str, frozenset[str]]
    tried: list[Attempt]
    seconds: float
    trained_by: list[LineageStep] | None = None


@dataclass(frozen=True, slots=True)
class LimitInput:
    """`recipe` is what messages call it. Ranges are observed on texts of `train`, scores measured on `validation`.

    `trained` trains with the rounding and gives the checkpoint and its lineage; None where that was done already. What
    was measured is kept in `work` until the search ends, so that one that was killed goes on.
    """

    recipe: str
    limit: Limit
    checkpoint: Path
    train: Split
    validation: Split
    backends: tuple[str, ...]
    max_tokens: int
    trained: Callable[[], tuple[Path, list[LineageStep]]] | None
    work: Path
    report: Progress


def within_limit(given: LimitInput) -> Held:
    """Find what holds the limit on every backend: the fewest layers in fp32 of those tried, trained if it must be.

    Raises:
        LimitExceeded: nothing does; the message has the best figure.
    """
    search = _Search(given, exact=dict(given.limit.against))
    held = _held(given, search)
    search.forget()
    if held is None:
        raise _refusal(given, search.tried)
    return held


def _held(given: LimitInput, search: "_Search") -> Held | None:
    if not search.holds_unrounded():
        return None
    if (found := search.layers_to_leave(given.checkpoint, is_trained=given.trained is None)) is not None:
        return Held(given.checkpoint, found, search.tried, search.seconds)
    if given.trained is not None:
        checkpoint, lineage = given.trained()
        if (found := search.layers_to_leave(checkpoint, is_trained=True)) is not None:
            return Held(checkpoint, found, search.tried, search.seconds, lineage)
    return None


def described(held: Held, given: LimitInput) -> dict[str, Any]:
    """What a manifest keeps of it."""
    return {
        "max_drop": given.limit.points,
        "validation_rows": len(given.validation.rows),
        "in_fp32": {backend: sorted(layers) for backend, layers in held.in_fp32.items()},
        "tried": [asdict(attempt) for attempt in held.tried],
    }


def portions(count: int) -> Iterator[int]:
    """How many of `count` linear layers are left in fp32, one try after the other: none, 1, 2, 4, … and the most."""
    most, size = int(LARGEST_SHARE * count), 1
    yield 0
    while size < most:
        yield size
        size *= 2
    if most:
        yield most


@dataclass
class _Search:
    given: LimitInput
    tried: list[Attempt] = field(default_factory=list)
    exact: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def _kept(self) -> Path:
        """The scores so far, by what was scored."""
        given = self.given
        return given.work / f"max-drop.{fingerprint(given.train, given.validation, given.max_tokens)}.json"

    def forget(self) -> None:
        self._kept.unlink(missing_ok=True)

    def holds_unrounded(self) -> bool:
        """Whether the weights hold the limit in fp32, where they are not themselves what is compared with."""
        given = self.given
        for backend in given.limit.against:
            given.report(f"fp32 on {backend}, to be rounded", self._done())
            drop = self._drop(backend, self._score(given.checkpoint, backend, "fp32"))
            if drop > given.limit.points:
                layers = len(linear_modules(read_shape(given.checkpoint)))
                self.tried.append(Attempt(backend, given.trained is None, layers, drop))
                return False
        return True

    def layers_to_leave(self, checkpoint: Path, *, is_trained: bool) -> dict[str, frozenset[str]] | None:
        """By backend; None if on one of them the limit cannot be held."""
        began = time.monotonic()
        found = self._layers_to_leave(checkpoint, is_trained)
        self.seconds += time.monotonic() - began
        return found

    def _layers_to_leave(self, checkpoint: Path, is_trained: bool) -> dict[str, frozenset[str]] | None:
        worst_first = cache(lambda: self._worst_first(checkpoint))
        found = {}
        for backend in self.given.backends:
            if backend not in self.exact:
                self.given.report(f"fp32 on {backend}, to compare int8 with", self._done())
                self.exact[backend] = self._score(self.given.checkpoint, backend, "fp32")
            left = self._first_that_holds(checkpoint, backend, worst_first, is_trained)
            if left is None:
                return None
            found[backend] = left
        return found

    def _first_that_holds(
        self, checkpoint: Path, backend: str, worst_first: Callable[[], list[str]], is_trained: bool
    ) -> frozenset[str] | None:
        layers = len(linear_modules(read_shape(checkpoint)))
        for size in portions(layers):
            left = frozenset(worst_first()[:size]) if size else frozenset[str]()
            score = self._score(checkpoint, backend, "int8", left)
            drop = self._drop(backend, score)
            self.tried.append(Attempt(backend, is_trained, size, drop))
            kept = f" with {size} of {layers} linear layers in fp32" if size else ""
            told = f"{drop:.2f} points lost by int8 on {backend}{kept}{', trained' if is_trained else ''}"
            self.given.report(f"{told}; {self.given.limit.points:g} are allowed", self._done())
            if drop <= self.given.limit.points:
                return left
        return None

    def _drop(self, backend: str, score: float) -> float:
        """In points."""
        return round(100 * (self.exact[backend] - score), 4)

    def _score(self, checkpoint: Path, backend: str, precision: Precision, left: frozenset[str] = frozenset()) -> float:
        """What the artifact scores on the validation rows, from what was kept or measured now."""
        kept = msgspec.json.decode(self._kept.read_bytes(), type=dict[str, float]) if self._kept.is_file() else {}
        key = fingerprint(sha256_of(checkpoint / "model.safetensors"), backend, precision, sorted(left))
        if key not in kept:
            kept[key] = self._measured(checkpoint, backend, precision, left)
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._kept, msgspec.json.encode(kept))
        return kept[key]

    def _measured(self, checkpoint: Path, backend: str, precision: Precision, left: frozenset[str]) -> float:
        given = self.given
        with TemporaryDirectory() as name:
            wanted = ExportInput(
                checkpoint=checkpoint,
                calibration=texts_of(given.train),
                out_dir=Path(name),
                report=silent,
                max_tokens=given.max_tokens,
                backends=(backend,),
                in_fp32={backend: left},
            )
            written = export(wanted, precision)
            artifact = written.artifacts[backend]
            return given.limit.score(backend, artifact, Path(name), written.max_tokens, given.validation.rows)

    def _worst_first(self, checkpoint: Path) -> list[str]:
        """The linear layers, by what rounding each of them alone does to the logits of validation rows."""
        encoder = load_checkpoint(checkpoint)
        with TemporaryDirectory() as folder:
            cut_at = min(self.given.max_tokens, encoder.shape.max_tokens)
            tokenizer = load_tokenizer(write_tokenizer(checkpoint, Path(folder)), cut_at)
        ranges = input_ranges(encoder, calibration_inputs(tokenizer, texts_of(self.given.train)))
        rows = Evaluation.of(tokenizer, self.given.validation.rows[:_RANKING_ROWS])
        costs = rounding_costs(encoder, ranges, rows)
        return sorted(costs, key=lambda layer: -costs[layer])

    def _done(self) -> float:
        """About: how many tries it takes, nobody knows."""
        return 1 - 0.8 ** len(self.tried)


def texts_of(split: Split) -> tuple[tuple[str, str | None], ...]:
    return tuple((row.text, row.text_pair) for row in split.rows)


def _refusal(given: LimitInput, tried: list[Attempt]) -> LimitExceeded:
    failed = tried[-1].backend
    best = min((attempt for attempt in tried if attempt.backend == failed), key=lambda attempt: attempt.drop)
    how = f" with {best.in_fp32} linear layers in fp32" if best.in_fp32 else ""
    rows = f"{len(given.validation.rows)} rows split off the train split"
    return LimitExceeded(
        f"Recipe {given.recipe!r} loses {best.drop:.2f} points on {rows}, at best, on {failed}{how}"
        f"{' after qat' if best.qat else ''}, where --max-drop allows {given.limit.points:g}; allow as much, or train "
        "for longer with 'qat:PASSES+int8'.",
        best.drop,
    )
