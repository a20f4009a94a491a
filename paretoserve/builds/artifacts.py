"""What is measured of a written artifact, by the engine and the interpreter that will serve it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from handlers.golden import check_golden
from handlers.tasks.catalogue import open_task
from handlers.trial import Trial
from model_store.manifest import TOKENIZER_FILE, Artifact, GoldenInput, Manifest, Quality, sha256_of
from model_store.rows import Row, Split
from networks.config import read_shape
from paretoserve.builds.integers import check_integers
from paretoserve.measuring.logits import trial_outcomes
from paretoserve.measuring.speed import measured, speed_of
from paretoserve.measuring.statistics import interval_of
from paretoserve.terminal.progress import Progress
from serving.cpu_plan import usable_cores

if TYPE_CHECKING:
    from recipes.export.base import BuiltArtifact

GOLDEN_INPUTS = 4

# The attention's projections of query, key and value are one, and its output; two of the feed-forward part.
LINEARS_PER_LAYER = 4

Text = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Measured:
    """Artifacts as the manifest keeps them, and what each answered for the rows, by backend."""

    artifacts: dict[str, Artifact]
    answers: dict[str, list[Any]]


def artifacts_of(
    written: dict[str, "BuiltArtifact"],
    checkpoint: Path,
    manifest: Manifest,
    folder: Path,
    split: Split,
    report: Progress,
) -> Measured:
    """Each written artifact with its golden logits and its quality on the rows of `split`.

    Raises:
        ParetoServeError: an engine fails, or an artifact that must equal the checkpoint does not, or what is to be INT8
            is mostly fp32.
    """
    artifacts, answers = {}, {}
    for i, (backend, one) in enumerate(written.items()):
        artifact = _timed(backend, _artifact(one, folder), checkpoint, manifest, folder)
        part = _Part(report, backend, i, len(written))
        artifacts[backend], answers[backend] = _measured(backend, artifact, manifest, folder, split, part)
    equal = [backend for backend, one in written.items() if one.golden_from == "reference"]
    if equal:
        reference = _reference(checkpoint, manifest, folder)
        for backend in equal:
            artifacts[backend] = _checked_against(reference, artifacts[backend], backend, manifest.golden)
    return Measured(artifacts, answers)


def golden_inputs(split: Split) -> list[GoldenInput]:
    """A few inputs from the shortest to the longest."""
    by_length = sorted(split.rows, key=lambda row: (len(row.text) + len(row.text_pair or ""), row.text))
    places = np.linspace(0, len(by_length) - 1, min(GOLDEN_INPUTS, len(by_length))).astype(int)
    return [GoldenInput(by_length[i].text, by_length[i].text_pair) for i in places]


@dataclass(frozen=True, slots=True)
class _Part:
    """The share of a build's progress that measuring one artifact has: the second half is divided among them."""

    report: Progress
    backend: str
    index: int
    count: int

    def __call__(self, done: float) -> None:
        self.report(f"measuring {self.backend}", 0.5 + (self.index + done) / (2 * self.count))


def _artifact(written: "BuiltArtifact", folder: Path) -> Artifact:
    own = (written.file, *written.companions)
    return Artifact(
        file=written.file,
        layout=written.layout,
        precision=written.precision,
        sha256={file: sha256_of(folder / file) for file in (*own, TOKENIZER_FILE)},
        bytes=sum((folder / file).stat().st_size for file in own),
        golden_tolerance=written.golden_tolerance,
    )


def _timed(backend: str, artifact: Artifact, checkpoint: Path, manifest: Manifest, folder: Path) -> Artifact:
    """The artifact with its speed, once the engine was found to compute it in its precision."""
    found = measured(backend, artifact, manifest, folder)
    if artifact.precision == "int8":
        linears = LINEARS_PER_LAYER * read_shape(checkpoint).layers
        check_integers(backend, found.operators, found.integer_operators, linears)
    return msgspec.structs.replace(artifact, speed=speed_of(found))


def _measured(
    backend: str, artifact: Artifact, manifest: Manifest, folder: Path, split: Split, report: _Part
) -> tuple[Artifact, list[Any]]:
    """The artifact with its golden logits and its quality, from the engine and the interpreter that will serve it; and
    its answers."""
    golden = texts_of(manifest.golden)
    trial = _trial(backend, folder / artifact.file, artifact, manifest, folder, (*golden, *texts_of(split.rows)))
    outcomes = []
    for i, outcome in enumerate(trial_outcomes(trial), 1):
        outcomes.append(outcome)
        report(i / len(trial.texts))
    answers = [outcome.answer for outcome in outcomes[len(golden) :]]
    golden_logits = [outcome.logits for outcome in outcomes[: len(golden)]]
    quality = _quality(answers, manifest, split)
    return msgspec.structs.replace(artifact, golden_logits=golden_logits, quality=quality), answers


def _quality(answers: Sequence[Any], manifest: Manifest, split: Split) -> Quality:
    task = open_task(manifest.task, manifest.task_settings)
    score, n = task.score(answers, split.rows), len(split.rows)
    return Quality(
        dataset=split.dataset,
        split=split.split,
        metric=task.metric,
        value=score.value,
        correct=score.correct,
        n=n,
        interval=interval_of(score.value, score.correct, n),
        further=dict(score.further),
    )


def _reference(checkpoint: Path, manifest: Manifest, folder: Path) -> list[list[float]]:
    """The golden logits of the checkpoint itself, with the variant's tokenizer."""
    artifact = Artifact(file="model.safetensors", layout="packed", precision="fp32", sha256={}, bytes=0)
    trial = _trial("torch", checkpoint / artifact.file, artifact, manifest, folder, texts_of(manifest.golden))
    return [outcome.logits for outcome in trial_outcomes(trial)]


def _trial(
    backend: str, file: Path, artifact: Artifact, manifest: Manifest, folder: Path, texts: tuple[Text, ...]
) -> Trial:
    return Trial(
        backend=backend,
        file=str(file.absolute()),
        precision=artifact.precision,
        layout=artifact.layout,
        tokenizer=str((folder / TOKENIZER_FILE).absolute()),
        max_tokens=manifest.max_tokens,
        task=manifest.task,
        task_settings=manifest.task_settings,
        threads=len(usable_cores()),
        texts=texts,
    )


def texts_of(some: Sequence[Row] | Sequence[GoldenInput]) -> tuple[Text, ...]:
    return tuple((one.text, one.text_pair) for one in some)


def _checked_against(
    reference: list[list[float]], artifact: Artifact, backend: str, golden: Sequence[GoldenInput]
) -> Artifact:
    """The artifact with the reference's golden logits, which its own must equal."""
    for one, want, got in zip(golden, reference, artifact.golden_logits, strict=True):
        what = f"The {backend} artifact differs from the checkpoint: golden input {one.text!r}"
        check_golden(what, want, got, artifact.golden_tolerance, "this is a bug of the exporter")
    return msgspec.structs.replace(artifact, golden_logits=reference)
