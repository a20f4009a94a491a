"""Build variants: a recipe writes artifacts, the engine that will serve them measures them, a manifest says it all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from handlers.trial import Trial
from model_store.errors import ParetoServeError
from model_store.manifest import TOKENIZER_FILE, Artifact, GoldenInput, Manifest, Quality, sha256_of, write_manifest
from model_store.store import staging
from paretoserve.builds.measurement import measured_logits
from paretoserve.environments.catalogue import interpreter_for
from paretoserve.terminal.progress import Report, progress
from recipes.data.checkpoint import fetch_checkpoint
from recipes.data.rows import Columns, Data, Row, Split, load_data
from serving.cpu_plan import usable_cores

if TYPE_CHECKING:
    from recipes.base import BuiltArtifact

GOLDEN_INPUTS = 4

Text = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Build `recipes` from a checkpoint (a folder or a Hub id) and data (a file, a folder or a Hub id).

    `backends` are those to write artifacts for; unless some are named, each recipe writes those of the default ones
    that it can.
    """

    checkpoint: str
    data: str
    recipes: tuple[str, ...]
    store: Path
    name: str | None = None
    columns: Columns = Columns()
    max_tokens: int = 128
    backends: tuple[str, ...] | None = None


def build(request: BuildRequest) -> list[Path]:
    """Build every recipe of a request; the folders of the variants, in the order asked.

    Raises:
        ParetoServeError: an unknown recipe, one that has nothing for a backend, an engine that is missing or fails, a
            checkpoint or data that cannot be read.
    """
    from networks.config import read_config

    for name in request.recipes:
        backends_of(name, request.backends)
    checkpoint = fetch_checkpoint(request.checkpoint)
    data = load_data(request.data, read_config(checkpoint).labels, request.columns)
    model = request.name or checkpoint.resolve().name
    return [build_variant(request, checkpoint, data, model, recipe) for recipe in request.recipes]


def backends_of(recipe: str, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """The backends that a recipe writes artifacts for, with an engine to measure each: those asked for, or the default.

    Raises:
        ParetoServeError: there is no such recipe, or it has nothing for a backend that was asked for.
        EnvironmentUnavailable: an engine is not installed.
    """
    # Recipes bring torch and the quantizers along, which only building needs.
    from recipes.base import DEFAULT_BACKENDS
    from recipes.catalogue import RECIPES, WRITTEN

    if recipe not in RECIPES:
        raise ParetoServeError(f"There is no recipe {recipe!r}; choose from {', '.join(RECIPES)}.")
    for backend in asked or ():
        if backend not in WRITTEN[recipe]:
            raise ParetoServeError(
                f"Recipe {recipe!r} writes nothing for backend {backend!r}; it can write for "
                f"{', '.join(WRITTEN[recipe])}."
            )
    backends = asked or tuple(backend for backend in DEFAULT_BACKENDS if backend in WRITTEN[recipe])
    for backend in backends:
        interpreter_for(backend)
    return backends


def build_variant(
    request: BuildRequest, checkpoint: Path, data: Data, model: str, recipe: str, variant: str | None = None
) -> Path:
    """Build one variant, called after its recipe unless `variant` says otherwise."""
    from recipes.base import RecipeInput
    from recipes.catalogue import RECIPES

    variant, backends = variant or recipe, backends_of(recipe, request.backends)
    target = request.store / model / variant
    with staging(target) as folder, progress(f"Building {model}/{variant}") as report:
        given = RecipeInput(
            checkpoint,
            calibration_texts(data),
            folder,
            lambda what, part: report(what, part / 2),
            request.max_tokens,
            backends,
        )
        built = RECIPES[recipe](given)
        manifest = Manifest(
            model=model,
            variant=variant,
            technique=built.technique,
            parent=built.parent,
            labels=list(built.labels),
            max_tokens=built.max_tokens,
            parameters=built.parameters,
            nonzero=built.nonzero,
            golden=golden_inputs(data.evaluation),
        )
        artifacts = {}
        for i, (backend, written) in enumerate(built.artifacts.items()):
            part = _Part(report, backend, i, len(built.artifacts))
            artifact = _artifact(written, folder)
            artifacts[backend] = _measured(backend, artifact, manifest, folder, data.evaluation, part)
        equal = [backend for backend, written in built.artifacts.items() if written.golden_from == "reference"]
        if equal:
            reference = _reference(checkpoint, manifest, folder)
            artifacts |= {backend: _checked_against(reference, artifacts[backend], backend) for backend in equal}
        write_manifest(msgspec.structs.replace(manifest, artifacts=artifacts), folder)
    return target


def calibration_texts(data: Data) -> tuple[Text, ...]:
    """What recipes choose their calibration texts from: the train split, or where there is none the other."""
    return _texts((data.train or data.evaluation).rows)


def golden_inputs(split: Split) -> list[GoldenInput]:
    """A few inputs from the shortest to the longest."""
    by_length = sorted(split.rows, key=lambda row: (len(row.text) + len(row.text_pair or ""), row.text))
    places = np.linspace(0, len(by_length) - 1, min(GOLDEN_INPUTS, len(by_length))).astype(int)
    return [GoldenInput(by_length[i].text, by_length[i].text_pair) for i in places]


@dataclass(frozen=True, slots=True)
class _Part:
    """The share of a build's progress that measuring one artifact has: the second half is divided among them."""

    report: Report
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


def _measured(
    backend: str, artifact: Artifact, manifest: Manifest, folder: Path, split: Split, report: _Part
) -> Artifact:
    """The artifact with its golden logits and its quality, from the engine and the interpreter that will serve it."""
    golden = _texts(manifest.golden)
    trial = _trial(backend, folder / artifact.file, artifact, manifest, folder, (*golden, *_texts(split.rows)))
    logits = []
    for i, row in enumerate(measured_logits(trial), 1):
        logits.append(row)
        report(i / len(trial.texts))
    found = np.array(logits[len(golden) :]).argmax(axis=1)
    correct = int((found == [row.label for row in split.rows]).sum())
    quality = Quality(
        dataset=split.dataset,
        split=split.split,
        value=correct / len(split.rows),
        correct=correct,
        n=len(split.rows),
    )
    return msgspec.structs.replace(artifact, golden_logits=logits[: len(golden)], quality=quality)


def _reference(checkpoint: Path, manifest: Manifest, folder: Path) -> list[list[float]]:
    """The golden logits of the checkpoint itself, with the variant's tokenizer."""
    artifact = Artifact(file="model.safetensors", layout="packed", precision="fp32", sha256={}, bytes=0)
    trial = _trial("torch", checkpoint / artifact.file, artifact, manifest, folder, _texts(manifest.golden))
    return list(measured_logits(trial))


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
        labels=tuple(manifest.labels),
        threads=len(usable_cores()),
        texts=texts,
    )


def _texts(some: Sequence[Row] | Sequence[GoldenInput]) -> tuple[Text, ...]:
    return tuple((one.text, one.text_pair) for one in some)


def _checked_against(reference: list[list[float]], artifact: Artifact, backend: str) -> Artifact:
    """The artifact with the reference's golden logits, which its own must equal."""
    difference = float(np.abs(np.array(reference) - np.array(artifact.golden_logits)).max())
    if difference > artifact.golden_tolerance:
        raise ParetoServeError(
            f"The {backend} artifact differs from the checkpoint by {difference:.2g} in a golden input's logits, more "
            f"than the {artifact.golden_tolerance:.2g} that rounding explains: this is a bug of the exporter."
        )
    return msgspec.structs.replace(artifact, golden_logits=reference)
