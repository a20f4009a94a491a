"""`paretoserve load`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from paretoserve.commands import campaign_options as told
from paretoserve.commands import options
from paretoserve.terminal.interrupt import stopped_with
from paretoserve.terminal.printing import print_report


def load(
    url: Annotated[str, typer.Argument(help="Address of an endpoint, e.g. http://127.0.0.1:8080.")],
    data: options.Data,
    out: options.Out = Path("runs/load"),
    users: options.Users = "auto",
    exact_levels: options.ExactLevels = False,
    think_time: options.ThinkTime = 0.1,
    dwell: options.Dwell = 4.0,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Requests per second, whatever is unanswered, instead of users; for --dwell seconds."
        ),
    ] = None,
    slo: told.Objective = None,
    seed: told.Seed = 0,
    path: Annotated[str, typer.Option(help="Path to post to.")] = "/invocations",
    variant: Annotated[str | None, typer.Option(help="Variant to ask for, where the endpoint has several.")] = None,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    plain: told.Plain = False,
) -> None:
    """Load one endpoint that is already running until it throttles, or at one rate, and report.

    Ctrl-C leaves a report of the levels until then.
    """
    from paretoserve.campaigns.load import Endpoint, Requests, load_endpoint

    columns = options.columns(text_column, text_pair_column, None)
    asked = replace(told.load_told(users, exact_levels, think_time, dwell, slo), rate_s=dwell)
    with stopped_with(f"what was measured until then is in {out}"):
        report = load_endpoint(Endpoint(url, path, variant), asked, Requests(data, columns, rate, seed), out, plain)
    print_report(report, out)
