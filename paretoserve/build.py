"""Build variants: a recipe writes artifacts, the handler that will serve them measures them, a manifest says it all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from handlers.backends import open_session
from handlers.backends.base import Logits, Threads
from handlers.classification import TextClassifier
from handlers.handler import Handler, golden_logits
from handlers.tokenizer import TextTokenizer
from model_store.checkpoint import fetch_checkpoint
from model_store.data import Columns, Data, Row, Split, load_data
from model_store.errors import ParetoServeError
from model_store.manifest import Artifact, GoldenInput, Layout, Manifest, Quality, sha256_of, write_manifest
from model_store.store import staging
from model_store.tokenizer import TOKENIZER_FILE
from paretoserve.progress import Report, progress
from serving.cpu_plan import usable_cores

GOLDEN_INPUTS = 4


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Build `recipes` from a checkpoint (a folder or a Hub id) and data (a file, a folder or a Hub id)."""

    checkpoint: str
    data: str
    recipes: tuple[str, ...]
    store: Path
    name: str | None = None
    columns: Columns = Columns()
    max_tokens: int = 128


def build(request: BuildRequest) -> list[Path]:
    """Build every recipe of a request; the folders of the variants, in the order asked.

    Raises:
        ParetoServeError: an unknown recipe, a checkpoint or data that cannot be read, an engine that fails.
    """
    # Recipes bring torch and the quantizers along, which only building needs.
    from model_store.bert_config import read_config
    from model_store.recipes import RECIPES

    for name in request.recipes:
        if name not in RECIPES:
            raise ParetoServeError(f"There is no recipe {name!r}; choose from {', '.join(RECIPES)}.")
    checkpoint = fetch_checkpoint(request.checkpoint)
    data = load_data(request.data, read_config(checkpoint).labels, request.columns)
    model = request.name or checkpoint.resolve().name
    return [build_variant(request, checkpoint, data, model, recipe) for recipe in request.recipes]


def build_variant(
    request: BuildRequest, checkpoint: Path, data: Data, model: str, recipe: str, variant: str | None = None
) -> Path:
    """Build one variant, called after its recipe unless `variant` says otherwise."""
    from model_store.recipes import RECIPES
    from model_store.recipes.base import RecipeInput

    variant = variant or recipe
    target = request.store / model / variant
    with staging(target) as folder, progress(f"Building {model}/{variant}") as report:
        given = RecipeInput(
            checkpoint, calibration_texts(data), folder, lambda what, part: report(what, part / 2), request.max_tokens
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
        reference = _golden_of(checkpoint, "torch", checkpoint / "model.safetensors", "fp32", manifest)
        artifacts = {}
        for i, (backend, written) in enumerate(built.artifacts.items()):
            files = (written.file, *written.companions, TOKENIZER_FILE)
            artifact = Artifact(
                file=written.file,
                layout=written.layout,
                precision=written.precision,
                sha256={file: sha256_of(folder / file) for file in files},
                bytes=sum((folder / file).stat().st_size for file in (written.file, *written.companions)),
                golden_tolerance=written.golden_tolerance,
            )
            part = _Part(report, backend, i, len(built.artifacts))
            artifacts[backend] = _measured(artifact, folder, backend, manifest, data.evaluation, part)
            if written.golden_from == "reference":
                artifacts[backend] = _checked_against(reference, artifacts[backend], backend)
        write_manifest(msgspec.structs.replace(manifest, artifacts=artifacts), folder)
    return target


def calibration_texts(data: Data) -> tuple[tuple[str, str | None], ...]:
    """What recipes choose their calibration texts from: the train split, or where there is none the other."""
    return tuple((row.text, row.text_pair) for row in (data.train or data.evaluation).rows)


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


def _open(
    folder: Path, backend: str, file: Path, precision: str, manifest: Manifest, layout: Layout = "packed"
) -> Handler:
    threads = Threads(streams=1, per_stream=len(usable_cores()))
    session = open_session(backend, file, precision, threads, layout)
    tokenizer = TextTokenizer(folder / TOKENIZER_FILE, manifest.max_tokens)
    return Handler(manifest, TextClassifier(session, tokenizer, manifest.labels))


def _golden_of(folder: Path, backend: str, file: Path, precision: str, manifest: Manifest) -> Logits:
    return golden_logits(_open(folder, backend, file, precision, manifest))


def _measured(
    artifact: Artifact, folder: Path, backend: str, manifest: Manifest, split: Split, report: _Part
) -> Artifact:
    """The artifact with its golden logits and its quality, from the engine that will serve it."""
    handler = _open(folder, backend, folder / artifact.file, artifact.precision, manifest, artifact.layout)
    golden = golden_logits(handler)
    correct = count_correct(handler, split.rows, report)
    handler.close()
    quality = Quality(
        dataset=split.dataset,
        split=split.split,
        value=correct / len(split.rows),
        correct=correct,
        n=len(split.rows),
    )
    return msgspec.structs.replace(artifact, golden_logits=golden.astype(float).tolist(), quality=quality)


def count_correct(handler: Handler, rows: Sequence[Row], report: _Part) -> int:
    """How many rows the variant labels as the data does, each asked alone, as a single client would ask."""
    tokenizer, correct = handler.model.tokenizer, 0
    for i, row in enumerate(rows):
        logits = handler.infer([[tokenizer(row.text, row.text_pair)]])
        correct += int(logits[0].argmax()) == row.label
        report((i + 1) / len(rows))
    return correct


def _checked_against(reference: Logits, artifact: Artifact, backend: str) -> Artifact:
    """The artifact with the reference's golden logits, which its own must equal."""
    difference = float(np.abs(reference - np.array(artifact.golden_logits)).max())
    if difference > artifact.golden_tolerance:
        raise ParetoServeError(
            f"The {backend} artifact differs from the checkpoint by {difference:.2g} in a golden input's logits, more "
            f"than the {artifact.golden_tolerance:.2g} that rounding explains: this is a bug of the exporter."
        )
    return msgspec.structs.replace(artifact, golden_logits=reference.astype(float).tolist())
