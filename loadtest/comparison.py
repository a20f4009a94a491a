"""What a comparison found: the contents of a report, and the file that keeps them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from loadtest.errors import LoadTestError
from loadtest.levels import LevelResult
from loadtest.threshold import Threshold

SCHEMA = 2
REPORT_FILE = "report.json"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a variant has right more than the dense one of its model, on the same engine and examples, as shares."""

    value: float
    interval: tuple[float, float]
    """Of 95 %."""
    p: float
    """McNemar's."""
    agreement: float
    """Examples that both give the same answer for."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a variant does its task; more is better. `value` is on the scale of the metric."""

    value: float
    metric: str
    """As readers see it: accuracy (a share between 0 and 1), F1, Matthews correlation."""
    n: int | None = None
    """Examples it was measured on."""
    dataset: str | None = None
    interval: tuple[float, float] | None = None
    """Of 95 %, where right answers are counted."""
    against_dense: Difference | None = None
    further: dict[str, float] = field(default_factory=dict)
    """Other measures of the same answers, by name."""


@dataclass(frozen=True, slots=True)
class CandidateReport:
    """One variant on one backend with everything measured about it."""

    name: str
    """Such as `int8@openvino`."""
    variant: str
    backend: str
    levels: tuple[LevelResult, ...]
    threshold: Threshold
    quality: Quality | None = None
    size_bytes: int | None = None
    parameters: int | None = None
    nonzero: int | None = None
    precision: str | None = None
    """What the engine really computed in."""
    macs_per_token: int | None = None
    """Multiplications of all layers for a token, at the mean length of the texts that it was built with."""
    made_in_s: float | None = None
    """All that making the variant took."""


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison of candidates under the same load. The first candidate is the one others are compared with."""

    candidates: tuple[CandidateReport, ...]
    think_time_s: float
    conditions: dict[str, str] = field(default_factory=dict)
    """What a reader needs to judge and repeat the numbers, in the order shown."""
    created: str = ""
    """ISO 8601."""
    title: str = "Load test"
    reject_threshold: float = 0.01
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        names = [candidate.name for candidate in self.candidates]
        if not names or len(set(names)) < len(names):
            raise LoadTestError("A report needs at least one candidate and a different name for each.")


class _Header(msgspec.Struct):
    schema: int


class _Schema1(msgspec.Struct):
    candidates: list[dict[str, Any]]


def read_report(path: Path) -> Report:
    """Read a `report.json`; raises LoadTestError when it is missing, damaged or of a later schema."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadTestError(f"There is no report at '{path}'; give the folder of a finished comparison.") from error
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema > SCHEMA:
            raise LoadTestError(
                f"'{path}' has schema {schema} and this version reads up to {SCHEMA}; update ParetoServe to read it."
            )
        return _from_schema_1(data) if schema == 1 else msgspec.json.decode(data, type=Report)
    except msgspec.DecodeError as error:
        raise LoadTestError(f"'{path}' is damaged ({error}); run the comparison again.") from error


def _from_schema_1(data: bytes) -> Report:
    """In schema 1 the quality of a candidate is called its accuracy."""
    candidates = msgspec.json.decode(data, type=_Schema1).candidates
    renamed = [{("quality" if key == "accuracy" else key): one[key] for key in one} for one in candidates]
    content = msgspec.json.decode(data, type=dict[str, Any])
    return msgspec.convert({**content, "candidates": renamed, "schema": SCHEMA}, Report)


def save_report(report: Report, path: Path) -> None:
    """Write what `read_report` reads."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
