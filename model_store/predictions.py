"""What each artifact of a variant answered for the rows that it was measured on, so that two variants can be compared
row by row. Kept beside the manifest, which has its hash."""

import hashlib
from pathlib import Path

import msgspec

from model_store.errors import DamagedArtifact, UnsupportedManifest
from model_store.manifest import Manifest, contained

PREDICTIONS_FILE = "predictions.json"


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Of one artifact: for each row the number of its answer in `Predictions.answers`, and the numbers of the rows that
    it got wrong, both from 0."""

    given: list[int]
    wrong: list[int]


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """`rows` is a hash of the rows with what is right; `answers` are all different ones that any artifact gave, without
    scores; `backends` has what each artifact gave."""

    rows: str
    answers: list[str]
    backends: dict[str, Answers]


_decoder = msgspec.json.Decoder(Predictions)


def write_predictions(predictions: Predictions, variant_dir: Path) -> str:
    """Write the file, and return its SHA-256 for the manifest."""
    content = msgspec.json.encode(predictions) + b"\n"
    (variant_dir / PREDICTIONS_FILE).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_predictions(variant_dir: Path, manifest: Manifest) -> Predictions | None:
    """What a variant answered; None where its manifest knows of no such file.

    Raises:
        DamagedArtifact: the file is missing, or not the one that the manifest hashed.
        UnsupportedManifest: it cannot be read.
    """
    if manifest.predictions is None:
        return None
    content = contained(variant_dir, PREDICTIONS_FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest.predictions:
        raise DamagedArtifact(f"{PREDICTIONS_FILE!r} of variant {variant_dir.name!r} is damaged; build it again.")
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UnsupportedManifest(
            f"{PREDICTIONS_FILE} of {variant_dir.name!r} cannot be read ({exc}); build the variant again."
        ) from exc
