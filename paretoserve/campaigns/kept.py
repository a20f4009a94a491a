"""What is kept on disk of a comparison that may be stopped: each result with all that it depends on.

A result counts as long as everything that it depends on is the same; else it is measured again, and it is said what
changed.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from handlers.backends.catalogue import artifact_name
from handlers.backends.processor import processor
from loadtest.results.comparison import Quality, Run
from model_store.manifest import TOKENIZER_FILE, sha256_of
from model_store.rows import Split
from paretoserve.campaigns.settings import Comparison
from paretoserve.candidates.candidate import Candidate
from paretoserve.environments.catalogue import engine_version
from paretoserve.hosts.container import image_id
from paretoserve.hosts.machine import describe_versions, split_cores

RESULT_FILE, QUALITY_FILE, PILOT = "result.json", "quality.json", "pilot"

Fingerprint = dict[str, str]
"""What a result depends on: the words for it, and its value or a digest of it."""

Found = TypeVar("Found")


class Facts(msgspec.Struct, frozen=True):
    """What a server said of the candidate that it served."""

    engine: str | None = None
    """Name and version."""
    precision: str | None = None
    """What the engine really computes in."""


class KeptRun(msgspec.Struct, frozen=True):
    run: Run
    facts: Facts


class KeptQuality(msgspec.Struct, frozen=True):
    quality: Quality


class KeptRate(msgspec.Struct, frozen=True):
    """The common rate, and where it comes from, in words."""

    per_s: float
    origin: str


class Kept(msgspec.Struct, Generic[Found], frozen=True):
    """A result in its file."""

    fingerprint: Fingerprint
    found: Found


def keep(file: Path, fingerprint: Fingerprint, found: Any) -> None:
    """Write a result in a single step: whoever is killed meanwhile leaves the old file or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(Kept(fingerprint, found)), indent=1) + b"\n")
    partial.replace(file)


def kept_in(file: Path, kind: type[Found]) -> Kept[Found] | None:
    """What `keep` wrote; None where there is nothing, or nothing that this version reads."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Kept[kind])  # type: ignore[valid-type]
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def forget(out_dir: Path) -> None:
    """Remove all results that are kept in the folder of a comparison."""
    for pattern in (f"*/block-*/{RESULT_FILE}", f"{PILOT}/*/{RESULT_FILE}", f"*/{QUALITY_FILE}"):
        for file in out_dir.glob(pattern):
            file.unlink()


def what_changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The words for what is not as it was."""
    return [name for name in dict.fromkeys((*now, *before)) if before.get(name) != now.get(name)]


def quality_fingerprint(candidate: Candidate, comparison: Comparison, data: str) -> Fingerprint:
    """What the answers of a candidate depend on."""
    return {
        "the artifact": artifact_digest(candidate),
        "the engine": _engine(candidate, comparison),
        "the version": describe_versions(("paretoserve",)),
        "the machine": "; ".join((processor().name, *processor().telling)),
        "the data": data,
    }


def run_fingerprint(candidate: Candidate, comparison: Comparison, data: str, common_rate_per_s: float) -> Fingerprint:
    """What a run of a candidate depends on."""
    same = quality_fingerprint(candidate, comparison, data)
    return {**same, **_load(comparison), "the common rate": f"{common_rate_per_s:.6g}/s"}


def rate_fingerprint(candidate: Candidate, comparison: Comparison, data: str) -> Fingerprint:
    """What the common rate depends on."""
    return {**quality_fingerprint(candidate, comparison, data), **_load(comparison)}


def _load(comparison: Comparison) -> Fingerprint:
    cores = "; ".join(",".join(map(str, some)) for some in split_cores())
    return {
        "the load": digest(comparison.load),
        "the queue deadline": f"{comparison.queue_deadline_s:g} s",
        "the texts per request": str(comparison.texts_per_request),
        "the cores": cores,
        "the seed": str(comparison.seed),
        "the versions of the load generator": describe_versions(("locust",)),
    }


def artifact_digest(candidate: Candidate) -> str:
    """Of all that decides what a candidate answers: its files by their hashes, tokenizer, task, code."""
    manifest, files = candidate.manifest, {}
    artifact = manifest.artifacts.get(artifact_name(candidate.backend, manifest.artifacts))
    if artifact is None:
        files = {str(file.relative_to(candidate.folder)): sha256_of(file) for file in _files(candidate.folder)}
    tokenizer = candidate.folder / TOKENIZER_FILE
    return digest(
        (
            artifact.sha256 if artifact else files,
            sha256_of(tokenizer) if tokenizer.is_file() else None,
            (manifest.task, manifest.task_settings, manifest.max_tokens, manifest.code),
        )
    )


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def data_digest(split: Split, bodies: Path) -> str:
    """Of the labelled rows, and of the requests that are made of them."""
    return digest((split.rows, sha256_of(bodies)))


def digest(content: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(content, order="sorted", enc_hook=str)).hexdigest()[:16]


def _engine(candidate: Candidate, comparison: Comparison) -> str:
    if comparison.containers is not None:
        return f"{image_id(candidate.backend)} with {comparison.containers}"
    return f"{candidate.backend} {engine_version(candidate.backend)}"
