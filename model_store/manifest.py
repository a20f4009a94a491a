"""What a variant says of itself: `variant.json`, its schema, and the check of its files.

A leaf: the standard library and msgspec only, so that a worker's environment can read a manifest with one
engine and little else installed.
"""

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from model_store.errors import DamagedArtifact, StoreError, UnsupportedManifest

MANIFEST_FILE = "variant.json"
TOKENIZER_FILE = "tokenizer.json"
SCHEMA = 2

UNREADABLE = "{!r} of variant {!r} may not be read by the user that this runs as; allow it, or run as another user."

Layout = Literal["packed", "padded"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What an artifact has right more than the dense variant of its model, on the same backend and rows.

    `value` and the ends of its `interval` of 95 % are shares of the rows, `p` is McNemar's; `agreement` is the share of
    rows that both give the same answer for.
    """

    value: float
    interval: tuple[float, float]
    p: float
    agreement: float


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How well an artifact does its task on `n` labelled rows, asked one at a time.

    `value` is on the scale of the task's `metric`, more is better; `correct` is how many rows were right where it
    counts those, and `interval` then the one of 95 % of their share. `against_dense` is None where the store has no
    dense variant that was measured on the same rows. `further` are other measures of the same answers, by name.
    """

    dataset: str
    split: str
    metric: str
    value: float
    correct: int | None = None
    n: int
    interval: tuple[float, float] | None = None
    against_dense: Difference | None = None
    further: dict[str, float] = {}


class GoldenInput(msgspec.Struct, frozen=True, omit_defaults=True):
    """One text (or pair) for which every artifact of the variant has the network's numbers on record."""

    text: str
    text_pair: str | None = None


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast an artifact was when it was built, with calls of mixed lengths on all of that machine's cores.

    `processor` is the name and the instruction sets of the processor: on another one it says little.
    """

    tokens_per_s: float
    processor: str


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One file that one backend loads, with what is known of it.

    `golden_logits` has, for each golden input, all numbers that the network gave for it when it was built: for text
    classification the logits (labels,). A worker asks again at start and compares to within `golden_tolerance`
    (absolute, per number).
    `sha256` covers every file of the artifact: `file` and `companions` (`model.bin` beside `model.xml`).
    """

    file: str
    layout: Layout
    precision: str
    sha256: dict[str, str]
    bytes: int
    golden_logits: list[list[float]] = []
    golden_tolerance: float = 1e-3
    quality: Quality | None = None
    speed: Speed | None = None


class LineageStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the recipe that made a variant, with all that would make it again, and how long it took."""

    step: str
    parameters: dict[str, Any] = {}
    seed: int
    seconds: float


class Technique(msgspec.Struct, frozen=True, kw_only=True):
    """How the variant was made: the recipe's name and the parameters that would make it again."""

    recipe: str
    parameters: dict[str, Any] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`variant.json`: one folder is one variant, and also SageMaker's `/opt/ml/model`.

    `task_settings` are the task's own (`handlers.tasks`), e.g. the labels of a text classification.
    `lineage` are the steps of the recipe in `technique`, in their order; `seconds` is what making it took in all, with
    measuring. `macs_per_token` are the multiplications of all layers for a token, at the mean length of the data's
    texts. `predictions` is the SHA-256 of `predictions.json`, which has what each artifact answered. `token_lengths`
    are the numbers of tokens of texts of its data, evenly spaced from the shortest to the longest: what a server
    measures its engine with. `code` is the SHA-256 of each file of `code/`, which is then loaded only as it was hashed;
    None where nobody hashed it.
    """

    schema: int = SCHEMA
    model: str
    variant: str
    task: str = "text-classification"
    task_settings: dict[str, Any]
    technique: Technique
    lineage: list[LineageStep] = []
    parent: str | None = None
    max_tokens: int
    token_lengths: list[int] = []
    artifacts: dict[str, Artifact] = {}
    parameters: int | None = None
    nonzero: int | None = None
    macs_per_token: int | None = None
    seconds: float | None = None
    predictions: str | None = None
    golden: list[GoldenInput] = []
    code: dict[str, str] | None = None


# Made once, here: msgspec crashes where two threads are the first to decode a type of structs.
_decoder = msgspec.json.Decoder(Manifest)


def read_manifest(variant_dir: Path) -> Manifest:
    """The manifest of the variant in `variant_dir`.

    Raises:
        UnsupportedManifest: it is of a later schema, or not a manifest at all.
        StoreError: this user may not read it.
        FileNotFoundError: there is none.
    """
    try:
        raw = (variant_dir / MANIFEST_FILE).read_bytes()
    except PermissionError as exc:
        raise StoreError(UNREADABLE.format(MANIFEST_FILE, variant_dir.name)) from exc
    try:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
        schema = fields.get("schema")
        if not isinstance(schema, int) or schema > SCHEMA:
            raise UnsupportedManifest(
                f"{MANIFEST_FILE} of {variant_dir.name!r} has schema {schema!r}; this version of ParetoServe reads "
                f"up to {SCHEMA}: upgrade ParetoServe, or build the variant again."
            )
        return _decoder.decode(raw if schema == SCHEMA else msgspec.json.encode(_upgraded(fields)))
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UnsupportedManifest(
            f"{MANIFEST_FILE} of {variant_dir.name!r} is not a manifest ({exc}); build the variant again."
        ) from exc


def _upgraded(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a manifest of any schema that is read, in those of the latest."""
    if fields["schema"] != 1 or "labels" not in fields:
        return fields
    # Schema 1 knew text classification alone.
    kept = {name: value for name, value in fields.items() if name != "labels"}
    return kept | {"schema": SCHEMA, "task_settings": {"labels": fields["labels"]}}


def described(manifest: Manifest) -> dict[str, Any]:
    """The manifest as plain values for those who read it, the settings of its task among the other fields."""
    fields: dict[str, Any] = msgspec.to_builtins(manifest)
    return {**fields.pop("task_settings"), **fields}


def write_manifest(manifest: Manifest, variant_dir: Path) -> None:
    """Write `variant.json`, readable by people, replacing the old one in a single step."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    partial = variant_dir / f".{MANIFEST_FILE}.partial"
    partial.write_bytes(text + b"\n")
    partial.replace(variant_dir / MANIFEST_FILE)


def contained(variant_dir: Path, file: str) -> Path:
    """The path of `file` inside `variant_dir`; manifests name plain files below the folder and nothing else.

    Raises:
        DamagedArtifact: the name leaves the folder, or no such file is there.
    """
    path = (variant_dir / file).resolve()
    if not path.is_relative_to(variant_dir.resolve()):
        raise DamagedArtifact(f"{MANIFEST_FILE} names {file!r}, which lies outside the variant's folder.")
    if not path.is_file():
        raise DamagedArtifact(f"{file!r} is missing from variant {variant_dir.name!r}; build the variant again.")
    return path


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
