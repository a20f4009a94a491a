"""`paretoserve load`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from paretoserve.commands import campaign_options as told
from paretoserve.commands import options
from paretoserve.terminal.interrupt import stopped_with
from paretoserve.terminal.printing import print_report

Url = Annotated[str, typer.Argument(help="Address of an endpoint, e.g. http://127.0.0.1:8080, or sagemaker:ENDPOINT.")]
Target = Annotated[
    str,
    typer.Option(
        help="Interface of the endpoint: invocations, v2:NAME, sagemaker:ENDPOINT or predictions:NAME[:FIELD]."
    ),
]


def load(
    url: Url,
    data: options.Data,
    out: options.Out = Path("runs/load"),
    users: told.Users = "auto",
    exact_levels: told.ExactLevels = False,
    think_time: told.ThinkTime = 0.1,
    dwell: told.Dwell = 4.0,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Requests per second, whatever is unanswered, instead of users; for --dwell seconds."
        ),
    ] = None,
    arrivals: Annotated[
        Literal["poisson", "constant"], typer.Option(help="Of --rate: independent of one another, or evenly spaced.")
    ] = "poisson",
    slo: told.Objective = None,
    seed: told.Seed = 0,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that users are spread over, where one is too slow to be so many.")
    ] = 0,
    expect_workers: Annotated[
        int, typer.Option(min=0, help="Locust workers on other machines, which connect to port 5557 of this one.")
    ] = 0,
    target: Target = "invocations",
    path: Annotated[str | None, typer.Option(help="Path to post to, if not that of --target.")] = None,
    variant: Annotated[str | None, typer.Option(help="Variant to ask for, where the endpoint has several.")] = None,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    plain: told.Plain = False,
) -> None:
    """Load an endpoint that runs already until it throttles, or at one rate. Ctrl-C leaves a report until then."""
    from paretoserve.campaigns.load import Endpoint, Requests, load_endpoint

    columns = options.columns(text_column, text_pair_column, None)
    asked = replace(told.load_told(users, exact_levels, think_time, dwell, slo), rate_s=dwell)
    requests = Requests(data, columns, rate, arrivals, workers, expect_workers, seed)
    with stopped_with(f"what was measured until then is in {out}"):
        report = load_endpoint(Endpoint(url, target, path, variant), asked, requests, out, plain)
    print_report(report, out)
