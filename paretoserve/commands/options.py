"""Options that several commands share, and how their values are read."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from model_store.errors import ParetoServeError
from recipes.data.rows import Columns


def parse_levels(text: str) -> tuple[int, ...] | Literal["auto"]:
    """`1,2,4` or `auto`."""
    if text == "auto":
        return "auto"
    try:
        levels = tuple(int(part) for part in text.split(","))
    except ValueError as exc:
        raise ParetoServeError(f"--users {text!r} is not a list of numbers; give e.g. 1,2,4,8, or auto.") from exc
    if min(levels) < 1 or list(levels) != sorted(set(levels)):
        raise ParetoServeError(f"--users {text!r} must be different numbers from 1, in rising order.")
    return levels


def dwell(least_s: float) -> tuple[float, float]:
    """Least and most seconds measured at a level."""
    return least_s, 2.5 * least_s


def columns(text: str | None, text_pair: str | None, label: str | None) -> Columns:
    return Columns(text=text, text_pair=text_pair, target=label)


Store = Annotated[Path, typer.Option("--store", help="Folder of models, each a folder of variants.")]
Data = Annotated[str, typer.Option("--data", help="TSV, CSV or JSONL file, a folder of them, or a Hub id.")]
Backends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend",
        help="Engine to write artifacts for; may be given several times. Without it torch, onnxruntime and openvino, "
        "as far as a recipe can.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the report and all measurements.")]
QueueDeadline = Annotated[
    float,
    typer.Option("--queue-deadline", min=0.001, help="By when requests are answered, s; those that cannot be get 429."),
]
Server = Annotated[
    Literal["own", "torchserve"],
    typer.Option("--server", help="What runs variants that name no backend; torchserve is short for @torchserve."),
]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option("--log-format", help="Lines of the log."),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    typer.Option("--log-level", help="Least level logged."),
]
TextColumn = Annotated[str | None, typer.Option("--text-column", help="Column of the text, if not found by itself.")]
PairColumn = Annotated[str | None, typer.Option("--text-pair-column", help="Column of the second text of a pair.")]
LabelColumn = Annotated[str | None, typer.Option("--label-column", help="Column of the label.")]
