"""The result of a benchmark: one JSON file with everything that is needed to judge it and to run it again."""

import shlex
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.places import RESULTS
from paretoserve.hosts.machine import describe_machine

PACKAGES = ("paretoserve", "onnxruntime", "tokenizers", "numpy", "uvicorn", "uvloop", "httptools")


class Spread(msgspec.Struct, frozen=True):
    """A figure over all rounds: its median, and the least and the most of it."""

    median: float
    least: float
    most: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark, run. `rounds` holds the raw figures of each round, `summary` what is made of them."""

    name: str
    command: str
    created: str
    machine: dict[str, str]
    versions: dict[str, str]
    settings: dict[str, Any]
    rounds: list[dict[str, Any]]
    summary: dict[str, Any]


def make_result(
    name: str,
    settings: Mapping[str, Any],
    rounds: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    packages: Iterable[str] = PACKAGES,
) -> Result:
    """A result of the command that is running now, on this machine, with the versions installed here."""
    return Result(
        name=name,
        command=shlex.join(["python", "-m", "benchmarks", *map(_portable, sys.argv[1:])]),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        versions={package: version(package) for package in packages},
        settings=dict(settings),
        rounds=[dict(one) for one in rounds],
        summary=dict(summary),
    )


def _portable(argument: str) -> str:
    """Where folders lie on this machine is nobody's business: of an absolute path, its last two names."""
    return str(Path(*Path(argument).parts[-2:])) if Path(argument).is_absolute() else argument


def write_result(result: Result, folder: Path = RESULTS) -> Path:
    """Write `NAME.json`, readable by people, replacing the old one in a single step."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    partial = folder / f".{path.name}.partial"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    return partial.replace(path)


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def spread_text(figure: Mapping[str, float], digits: int = 2, unit: str = "") -> str:
    """A spread, read from its JSON, as `12 (11-13)`."""
    return f"{figure['median']:.{digits}f}{unit} ({figure['least']:.{digits}f}-{figure['most']:.{digits}f})"


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """One ratio a round, of figures taken in that round: what the machine does from round to round cancels out."""
    return [above / below for above, below in zip(numerators, denominators, strict=True)]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is of names and whose others are of figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
