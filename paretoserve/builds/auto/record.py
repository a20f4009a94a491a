"""What was tried, as JSON beside the variants: people read it, and the same command goes on from it."""

from pathlib import Path
from typing import Literal

import msgspec

from recipes.work.folder import write_whole

RECORD_FILE = "auto.json"

Verdict = Literal["kept", "fell", "failed", "stopped", "not begun", "left out"]


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """What an artifact scores on rows; `wrong` are the places of those that it got wrong, where those are counted."""

    value: float
    wrong: list[int] | None = None


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one chain, and `why` in words.

    Gains are over the dense variant on the same engine: `expected_gain` was there before, `gain` was measured. `drop`
    is what was lost on the validation rows in points, with an interval of 95 % where answers are right or wrong.
    `seconds` were spent on it, in all runs. A chain that was kept is `variant`, whose artifact has the hash `sha256`.
    """

    recipe: str
    expected_gain: float | None = None
    verdict: Verdict
    why: str
    gain: float | None = None
    drop: float | None = None
    drop_interval: tuple[float, float] | None = None
    seconds: float | None = None
    variant: str | None = None
    sha256: str | None = None

    @property
    def is_decided(self) -> bool:
        """Whether the same command would find the same again."""
        return self.verdict in ("kept", "fell")


class Dense(msgspec.Struct, frozen=True, kw_only=True):
    """What all chains are compared with: the hash of its artifact, and what that scores on the validation rows."""

    sha256: str
    validation: Scored
    seconds: float


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`key` stands for all that figures depend on, verdicts on `max_drop`, too; speeds are those of `processor`."""

    key: str
    target: str
    processor: str
    max_drop: float
    validation_rows: int
    dense: Dense | None = None
    tries: list[Try] = []


def read_record(file: Path, key: str) -> Record | None:
    """What was found for the same checkpoint, data and wishes; None where there is nothing, or something else."""
    try:
        record = msgspec.json.decode(file.read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record if record.key == key else None


def write_record(record: Record, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
