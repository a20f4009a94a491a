"""Runs load in a process of its own: users by Locust, rates by the lean client; progress is handed on as it comes."""

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from loadtest.generator.events import CampaignEvent, LevelDone, decode_event
from loadtest.generator.lean.client import run_client
from loadtest.generator.lean.translate import order_of, plan_of, rows_of
from loadtest.generator.probe import check_endpoint
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign, encode_campaign, read_bodies
from loadtest.processes import child_process
from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult, Window
from loadtest.results.request_log import append_rows
from loadtest.results.slo import Slo
from loadtest.statistics.levels import in_window

__all__ = ["Campaign", "CampaignEvent", "run_at_rate", "run_campaign", "saturation", "search_rate"]

REQUESTS_FILE = "requests.csv.gz"
_SETTINGS_FILE = "campaign.json"
_LOG_FILE = "generator.log"
_LOG_TAIL_CHARS = 2000
# As the end of a traceback has it.
_REASON = re.compile(rf"{LoadTestError.__name__}: (.+)")
_TERMINATION_S = 5.0
# Longer than a request may take, so that those in flight are answered before their users stop.
_STOP_MARGIN_S = 1
_WORKERS_WITHIN_S = 120
_LOCUSTFILE = str(Path(__file__).with_name("locustfile.py"))


def run_campaign(
    campaign: Campaign, out_dir: Path, on_event: Callable[[CampaignEvent], None]
) -> tuple[LevelResult, ...]:
    """Load the endpoint through all levels and return them in the order of their first visit.

    Writes `campaign.json`, `requests.csv.gz` (one row per request) and `generator.log` to `out_dir`. `on_event` is
    called on the calling thread. Blocks until the campaign is over; whatever ends it early also ends the generator.
    Raises LoadTestError when the endpoint does not answer a first request or the generator fails.
    """
    _prepare(campaign, out_dir)
    with _workers(campaign, out_dir):
        return _run(out_dir, [*_locust(campaign), *_master(campaign)], on_event)


def run_at_rate(
    campaign: Campaign,
    rate_per_s: float,
    seconds: float,
    out_dir: Path,
    on_event: Callable[[CampaignEvent], None] = lambda event: None,
) -> LevelResult:
    """Send requests at a rate, in an open loop, for `seconds` after `settle_s`; the result is of those due in them.

    They arrive as `campaign.arrivals` says, and their times count from when they were due. Writes files as
    `run_campaign` does. Returns after the last request is answered or has timed out. Raises LoadTestError when the
    endpoint does not answer a first request, or the generator fails.
    """
    _check_rate(rate_per_s, seconds)
    _prepare(campaign, out_dir)
    (level,) = _run(out_dir, _lean(rate_per_s, seconds), on_event)
    return level


def search_rate(
    campaign: Campaign,
    slo: Slo,
    start_rate: float,
    out_dir: Path,
    on_event: Callable[[CampaignEvent], None] = lambda event: None,
) -> tuple[LevelResult, ...]:
    """Go from `start_rate` to the highest rate at which requests are answered within `slo`.

    Each level lasts `campaign.min_dwell_s`. Returns all of them, in the order of their first visit; the share that
    crosses `slo.share` is in their `late_slices`. Otherwise as `run_at_rate`.
    """
    _check_rate(start_rate, campaign.min_dwell_s)
    _prepare(replace(campaign, slo=slo), out_dir)
    return _run(out_dir, [*_lean(start_rate, campaign.min_dwell_s), "--search"], on_event)


def saturation(campaign: Campaign, users: int, seconds: float, out_dir: Path) -> float:
    """The ok answers per second that so many users get who do not think; the first quarter of `seconds` is discarded.

    Writes `requests.csv.gz` to `out_dir`. Raises LoadTestError when the endpoint does not answer a first request.
    """
    _prepare(campaign, out_dir)
    bodies = read_bodies(campaign.bodies)
    order = order_of(Arrivals("closed", users, seed=campaign.seed), len(bodies))
    plan = plan_of(campaign, [bodies[number] for number in order], seconds=seconds, clients=users)
    try:
        result = run_client(plan, campaign.client_cpus)
    except RuntimeError as exc:
        raise LoadTestError("The load client failed; its error stands above.") from exc
    rows, window = rows_of(result.records, order, 0.0), Window(seconds / 4, seconds)
    append_rows(out_dir / REQUESTS_FILE, 0, users, ((in_window(row, window), row) for row in rows))
    return sum(row.outcome == "ok" and in_window(row, window) for row in rows) / window.duration_s


def _run(out_dir: Path, command: Sequence[str], on_event: Callable[[CampaignEvent], None]) -> tuple[LevelResult, ...]:
    """The levels that a generator visits, in the order of their first visit."""
    results: dict[float, LevelResult] = {}
    with closing(_events(command, out_dir)) as events:
        for event in events:
            on_event(event)
            if isinstance(event, LevelDone):
                results[event.result.at] = event.result
    return tuple(results.values())


def _check_rate(rate_per_s: float, seconds: float) -> None:
    if not (0 < rate_per_s < math.inf and 0 < seconds < math.inf):
        raise LoadTestError(f"{rate_per_s:g} requests/s for {seconds:g} s cannot be sent; give positive numbers.")


def _prepare(campaign: Campaign, out_dir: Path) -> None:
    check_endpoint(campaign, read_bodies(campaign.bodies)[0])
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / REQUESTS_FILE).unlink(missing_ok=True)
    (out_dir / _SETTINGS_FILE).write_bytes(encode_campaign(campaign))


def _events(command: Sequence[str], out_dir: Path) -> Generator[CampaignEvent]:
    """Runs the generator that `command` names and hands out what it tells."""
    log_path = out_dir / _LOG_FILE
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb") as lines, log_path.open("wb") as log, ExitStack() as stack:
        try:
            started = child_process(
                [sys.executable, "-m", *command, *_outputs(out_dir, write_fd)],
                _TERMINATION_S,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(write_fd,),
                # Ctrl-C in a terminal reaches this process alone, which then ends the generator itself.
                start_new_session=True,
            )
            process = stack.enter_context(started)
        finally:
            os.close(write_fd)
        yield from map(decode_event, lines)
        code = process.wait()
    if code != 0:
        raise LoadTestError(_why_it_ended(code, log_path))


def _why_it_ended(code: int, log_path: Path) -> str:
    """The reason that the generator gave, if any; tables of Locust's follow it, so it need not be near the end."""
    log = log_path.read_text(errors="replace")
    if reasons := _REASON.findall(log):
        return str(reasons[-1])
    tail = log[-_LOG_TAIL_CHARS:].strip()
    return f"The load generator ended with exit code {code}; its last words in {log_path} were:\n{tail}"


@contextmanager
def _workers(campaign: Campaign, out_dir: Path) -> Iterator[None]:
    """The workers that are to run here, each with a log; they wait for the master."""
    options = ["--worker", "--master-host", "127.0.0.1", "--master-port", str(campaign.master_port)]
    command = [sys.executable, "-m", "locust", "-f", _LOCUSTFILE, "--loglevel", "WARNING", *options]
    with ExitStack() as stack:
        for number in range(campaign.workers):
            log = stack.enter_context((out_dir / f"worker-{number}.log").open("wb"))
            started = child_process(
                command,
                _TERMINATION_S,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            stack.enter_context(started)
        yield


def _locust(campaign: Campaign) -> list[str]:
    return [
        *("locust", "-f", _LOCUSTFILE),
        *("--headless", "--only-summary", "--loglevel", "WARNING"),
        *("--host", campaign.url.rstrip("/")),
        *("--stop-timeout", f"{math.ceil(campaign.timeout_s) + _STOP_MARGIN_S}s"),
        # Rejections are what a campaign looks for, not a reason to fail.
        *("--exit-code-on-error", "0"),
    ]


def _master(campaign: Campaign) -> list[str]:
    """Options of the process that leads workers, where there are any."""
    workers = campaign.workers + campaign.expect_workers
    if not workers:
        return []
    return [
        *("--master", "--master-bind-host", "*" if campaign.expect_workers else "127.0.0.1"),
        *("--master-bind-port", str(campaign.master_port)),
        *("--expect-workers", str(workers), "--expect-workers-max-wait", str(_WORKERS_WITHIN_S)),
    ]


def _lean(rate_per_s: float, seconds: float) -> list[str]:
    return ["loadtest.generator.lean.levels", "--rate", str(rate_per_s), "--seconds", str(seconds)]


def _outputs(out_dir: Path, events_fd: int) -> list[str]:
    return [
        *("--campaign", str(out_dir / _SETTINGS_FILE)),
        *("--requests-out", str(out_dir / REQUESTS_FILE)),
        *("--events-fd", str(events_fd)),
    ]
