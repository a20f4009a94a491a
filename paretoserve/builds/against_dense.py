"""What the variants of a model have right more or less than its dense one, row by row."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from handlers.tasks.base import AnyTask
from loadtest.statistics.accuracy import paired_difference
from model_store.errors import StoreError
from model_store.manifest import Artifact, Difference, Manifest, read_manifest, write_manifest
from model_store.predictions import Answers, Predictions, read_predictions
from model_store.rows import Split
from model_store.store import variant_dirs

DENSE = "dense"
"""The recipe that others are compared with."""


def predictions_of(task: AnyTask, answers: Mapping[str, Sequence[Any]], split: Split) -> Predictions | None:
    """What the artifacts answered for the rows of `split`, by backend; None where the task counts no right answers."""
    if any(task.score(given, split.rows).correct is None for given in answers.values()):
        return None
    numbers: dict[str, int] = {}
    backends = {}
    for backend, given in answers.items():
        numbered = [numbers.setdefault(_decided(answer), len(numbers)) for answer in given]
        wrong = [
            number
            for number, (answer, row) in enumerate(zip(given, split.rows, strict=True))
            if not task.score([answer], [row]).correct
        ]
        backends[backend] = Answers(given=numbered, wrong=wrong)
    rows = hashlib.sha256(msgspec.json.encode(split.rows)).hexdigest()
    return Predictions(rows=rows, answers=list(numbers), backends=backends)


def _decided(answer: Any) -> str:
    """An answer without its scores, as JSON: engines that decide alike score a little differently."""
    return msgspec.json.encode(_without_floats(answer), order="sorted").decode()


def _without_floats(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {key: _without_floats(value) for key, value in answer.items() if not isinstance(value, float)}
    if isinstance(answer, list):
        return [_without_floats(value) for value in answer if not isinstance(value, float)]
    return answer


def compare_with_dense(store: Path, model: str) -> None:
    """Bring what the manifests of a model's variants say of the dense one up to date, after one of them was built."""
    variants = _readable([folder for folder in variant_dirs(store) if folder.parent.name == model])
    dense = _dense([(manifest, predictions) for manifest, predictions in variants.values()])
    for folder, (manifest, predictions) in variants.items():
        compared = _compared(manifest, predictions, None if predictions is dense else dense)
        if compared != manifest:
            write_manifest(compared, folder)


def _readable(folders: Sequence[Path]) -> dict[Path, tuple[Manifest, Predictions | None]]:
    found = {}
    for folder in folders:
        try:
            manifest = read_manifest(folder)
            found[folder] = (manifest, read_predictions(folder, manifest))
        except StoreError:
            # What is wrong with another variant is told to whoever uses that one.
            continue
    return found


def _dense(variants: Sequence[tuple[Manifest, Predictions | None]]) -> Predictions | None:
    """What the dense variant of a model answered; of several, the one that is called so."""
    dense = [pair for pair in variants if pair[0].technique.recipe == DENSE and pair[0].parent is None]
    dense.sort(key=lambda pair: pair[0].variant != DENSE)
    return dense[0][1] if dense else None


def _compared(manifest: Manifest, ours: Predictions | None, dense: Predictions | None) -> Manifest:
    artifacts = {
        backend: _artifact(artifact, _difference(backend, ours, dense))
        for backend, artifact in manifest.artifacts.items()
    }
    return msgspec.structs.replace(manifest, artifacts=artifacts)


def _artifact(artifact: Artifact, difference: Difference | None) -> Artifact:
    if artifact.quality is None:
        return artifact
    return msgspec.structs.replace(
        artifact, quality=msgspec.structs.replace(artifact.quality, against_dense=difference)
    )


def _difference(backend: str, ours: Predictions | None, dense: Predictions | None) -> Difference | None:
    if ours is None or dense is None or ours.rows != dense.rows:
        return None
    if backend not in ours.backends or backend not in dense.backends:
        return None
    first, second = ours.backends[backend], dense.backends[backend]
    found = paired_difference(_right(first), _right(second))
    same = [ours.answers[a] == dense.answers[b] for a, b in zip(first.given, second.given, strict=True)]
    return Difference(value=found.value, interval=found.interval, p=found.p, agreement=sum(same) / len(same))


def _right(answers: Answers) -> list[bool]:
    wrong = set(answers.wrong)
    return [number not in wrong for number in range(len(answers.given))]
