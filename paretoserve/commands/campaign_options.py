"""Options of `compare` and `load`, and how their values are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paretoserve.commands.options import dwell as dwell_times
from paretoserve.commands.options import parse_levels

if TYPE_CHECKING:
    from paretoserve.campaigns.settings import Load

ModelFolder = Annotated[Path, typer.Option("--store", help="Folder of one model, e.g. store/sst2-minilm.")]
Candidates = Annotated[
    str,
    typer.Option(help="Comma-separated, e.g. dense@onnxruntime,int8@openvino; the others are held against the first."),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="A first look: one block, short levels; four candidates in three minutes.")
]
Blocks = Annotated[
    int,
    typer.Option(
        min=1,
        help="Times that each candidate is started anew and measured, in an order of each block's own; fewer where the "
        "answer is clear before. From 2 on, the first candidate is measured twice in each: what differs is noise.",
    ),
]
Objective = Annotated[
    str | None,
    typer.Option("--slo", help="Also search the highest rate of requests within this, e.g. p95=200ms or p99=1s."),
]
TextsPerRequest = Annotated[int, typer.Option(min=1, help="Texts in one request.")]
Price = Annotated[float | None, typer.Option(min=0.0, help="Of the machine that serves; the report states costs then.")]
MaxDrop = Annotated[float, typer.Option(min=0.0, help="Points of the first candidate's quality that speed may cost.")]
Baseline = Annotated[
    Path | None, typer.Option(help="report.json of an earlier comparison, for --fail-if; its common rate is used.")
]
FailIf = Annotated[
    list[str] | None,
    typer.Option(
        help="threshold<0.9x, p95>1.1x or quality<-1.0 (points), may be given several times. The exit code is 3 where "
        "that is so for sure, 4 where it is not sure."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of orders, pauses and arrivals.")]
Cpus = Annotated[float | None, typer.Option(min=0.01, help="CPU quota of each container, cores.")]
Memory = Annotated[str | None, typer.Option(help="Memory of each container, e.g. 2g.")]
Plain = Annotated[bool, typer.Option("--plain", help="Lines instead of a dashboard, also on a terminal.")]
Restart = Annotated[bool, typer.Option("--restart", help="Measure again what is kept in --out.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would run and for how long, and end.")]


def load_told(
    users: str, exact_levels: bool, think_time_s: float, dwell_s: float, slo: str | None, is_quick: bool = False
) -> "Load":
    """How users behave, by the options of a command.

    Raises:
        ParetoServeError, LoadTestError: a value cannot be read.
    """
    from loadtest.results.slo import parse_slo
    from paretoserve.campaigns.settings import Load, quick

    objective = parse_slo(slo) if slo else None
    load = Load(parse_levels(users), think_time_s, *dwell_times(dwell_s), exact_levels=exact_levels, slo=objective)
    return quick(load) if is_quick else load
