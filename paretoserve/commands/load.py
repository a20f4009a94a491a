"""`paretoserve load`."""

from pathlib import Path
from typing import Annotated

import typer

from paretoserve.commands import options
from paretoserve.terminal.printing import print_report


def load(
    url: Annotated[str, typer.Argument(help="Address of an endpoint, e.g. http://127.0.0.1:8080.")],
    data: options.Data,
    out: options.Out = Path("runs/load"),
    users: options.Users = "auto",
    exact_levels: options.ExactLevels = False,
    think_time: options.ThinkTime = 0.1,
    dwell: options.Dwell = 6.0,
    path: Annotated[str, typer.Option(help="Path to post to.")] = "/invocations",
    variant: Annotated[str | None, typer.Option(help="Variant to ask for, where the endpoint has several.")] = None,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
) -> None:
    """Load one endpoint until it throttles, and report."""
    from paretoserve.campaigns.compare import Load
    from paretoserve.campaigns.load import Endpoint, load_endpoint

    columns = options.columns(text_column, text_pair_column, None)
    target = Endpoint(url, path, variant)
    load = Load(options.parse_levels(users), think_time, *options.dwell(dwell), exact_levels=exact_levels)
    report = load_endpoint(target, load, data, columns, out)
    print_report(report, out)
