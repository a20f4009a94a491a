"""Runs one campaign: Locust in a process of its own, its progress handed on as it comes."""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from loadtest.generator.events import CampaignEvent, LevelDone, decode_event
from loadtest.generator.probe import check_endpoint
from loadtest.plan.settings import Campaign, encode_campaign, read_bodies
from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult

__all__ = ["Campaign", "CampaignEvent", "run_campaign"]

REQUESTS_FILE = "requests.csv.gz"
_SETTINGS_FILE = "campaign.json"
_LOG_FILE = "locust.log"
_LOG_TAIL_CHARS = 2000
_TERMINATION_S = 5.0
# Longer than a request may take, so that those in flight are answered before their users stop.
_STOP_MARGIN_S = 1


def run_campaign(
    campaign: Campaign, out_dir: Path, on_event: Callable[[CampaignEvent], None]
) -> tuple[LevelResult, ...]:
    """Load the endpoint through all levels and return them in the order of their first visit.

    Writes `campaign.json`, `requests.csv.gz` (one row per request) and `locust.log` to `out_dir`. `on_event` is called
    on the calling thread. Blocks until the campaign is over; whatever ends it early also ends the generator. Raises
    LoadTestError when the endpoint does not answer a first request or the generator fails.
    """
    check_endpoint(campaign, read_bodies(campaign.bodies)[0])
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / REQUESTS_FILE).unlink(missing_ok=True)
    settings = out_dir / _SETTINGS_FILE
    settings.write_bytes(encode_campaign(campaign))
    results: dict[float, LevelResult] = {}
    with closing(_locust_events(campaign, out_dir)) as events:
        for event in events:
            on_event(event)
            if isinstance(event, LevelDone):
                results[event.result.at] = event.result
    return tuple(results.values())


def _locust_events(campaign: Campaign, out_dir: Path) -> Generator[CampaignEvent]:
    log_path = out_dir / _LOG_FILE
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb") as lines, log_path.open("wb") as log:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
                _command(campaign, out_dir, write_fd),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(write_fd,),
                # Ctrl-C in a terminal reaches this process alone, which then ends the generator itself.
                start_new_session=True,
            )
        finally:
            os.close(write_fd)
        with _terminated_at_exit(process):
            yield from map(decode_event, lines)
            code = process.wait()
    if code != 0:
        tail = log_path.read_text(errors="replace")[-_LOG_TAIL_CHARS:].strip()
        raise LoadTestError(f"Locust ended with exit code {code}; its last words in {log_path} were:\n{tail}")


@contextmanager
def _terminated_at_exit(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_TERMINATION_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _command(campaign: Campaign, out_dir: Path, events_fd: int) -> list[str]:
    return [
        *(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py"))),
        *("--headless", "--only-summary", "--loglevel", "WARNING"),
        *("--host", campaign.url.rstrip("/")),
        *("--stop-timeout", f"{math.ceil(campaign.timeout_s) + _STOP_MARGIN_S}s"),
        # Rejections are what a campaign looks for, not a reason to fail.
        *("--exit-code-on-error", "0"),
        *("--campaign", str(out_dir / _SETTINGS_FILE)),
        *("--requests-out", str(out_dir / REQUESTS_FILE)),
        *("--events-fd", str(events_fd)),
    ]
