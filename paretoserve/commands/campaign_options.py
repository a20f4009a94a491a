"""Options of `compare` and `load`, and how their values are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from paretoserve.commands.options import dwell as dwell_times
from paretoserve.commands.options import parse_levels

if TYPE_CHECKING:
    from paretoserve.campaigns.settings import Load

# Headings of --help.
_LOAD, _ANSWER, _GATE, _WHERE, _COURSE = "Load", "Answer", "Gate for continuous integration", "Where it runs", "Course"

ModelFolder = Annotated[Path, typer.Option("--store", help="Folder of one model, e.g. store/sst2-minilm.")]
Candidates = Annotated[
    str,
    typer.Option(help="Comma-separated, e.g. dense@onnxruntime,int8@openvino; the others are held against the first."),
]
Users = Annotated[
    str,
    typer.Option(
        "--users",
        help="Numbers of users to begin with, e.g. 4,16,64; auto begins where a short probe says. Others between them "
        "are visited until the throttling threshold is known.",
        rich_help_panel=_LOAD,
    ),
]
ExactLevels = Annotated[
    bool,
    typer.Option("--exact-levels", help="Visit the numbers of --users and no others.", rich_help_panel=_LOAD),
]
ThinkTime = Annotated[
    float,
    typer.Option(
        "--think-time",
        min=0.0,
        help="Mean pause of a user between an answer and the next request, s.",
        rich_help_panel=_LOAD,
    ),
]
Dwell = Annotated[
    float,
    typer.Option(
        "--dwell",
        min=1.0,
        help="Least time measured at each level, s. A level that is not steady by then lasts longer, up to 5 times.",
        rich_help_panel=_LOAD,
    ),
]
TextsPerRequest = Annotated[int, typer.Option(min=1, help="Texts in one request.", rich_help_panel=_LOAD)]
Seed = Annotated[int, typer.Option(min=0, help="Of orders, pauses and arrivals.", rich_help_panel=_LOAD)]
Quick = Annotated[
    bool, typer.Option("--quick", help="A first look: one block, short levels; four candidates in three minutes.")
]
Blocks = Annotated[
    int,
    typer.Option(
        min=1,
        help="Times that each candidate is started anew and measured, in an order of each block's own; fewer where the "
        "answer is clear before. From 2 on, the first candidate is measured twice in each: what differs is noise.",
        rich_help_panel=_ANSWER,
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        "--slo",
        help="Also search the highest rate of requests within this, e.g. p95=200ms or p99=1s.",
        rich_help_panel=_ANSWER,
    ),
]
Price = Annotated[
    float | None,
    typer.Option(min=0.0, help="Of the machine that serves; the report states costs then.", rich_help_panel=_ANSWER),
]
MaxDrop = Annotated[
    float,
    typer.Option(min=0.0, help="Points of the first candidate's quality that speed may cost.", rich_help_panel=_ANSWER),
]
Baseline = Annotated[
    Path | None,
    typer.Option(
        help="report.json of an earlier comparison, for --fail-if; its common rate is used.", rich_help_panel=_GATE
    ),
]
FailIf = Annotated[
    list[str] | None,
    typer.Option(
        help="threshold<0.9x, p95>1.1x or quality<-1.0 (points), may be given several times. The exit code is 3 where "
        "that is so for sure, 4 where it is not sure.",
        rich_help_panel=_GATE,
    ),
]
Host = Annotated[
    Literal["process", "docker"],
    typer.Option(
        "--with",
        help="What runs each candidate: a process here, or a container of its image.",
        rich_help_panel=_WHERE,
    ),
]
Cpus = Annotated[
    float | None, typer.Option(min=0.01, help="CPU quota of each container, cores.", rich_help_panel=_WHERE)
]
Memory = Annotated[str | None, typer.Option(help="Memory of each container, e.g. 2g.", rich_help_panel=_WHERE)]
Plain = Annotated[
    bool,
    typer.Option("--plain", help="Lines instead of a dashboard, also on a terminal.", rich_help_panel=_COURSE),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Measure again what is kept in --out.", rich_help_panel=_COURSE)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would run and for how long, and end.", rich_help_panel=_COURSE)
]


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
