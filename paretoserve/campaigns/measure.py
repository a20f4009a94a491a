"""One run: a fresh server of one candidate, its quality where that is not known yet, its limits, its response times."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtest import campaign as generator
from loadtest.campaign import REQUESTS_FILE, Campaign, CampaignEvent
from loadtest.generator.events import LevelDone
from loadtest.results.comparison import Quality, Run
from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult
from loadtest.results.request_log import read_rows
from loadtest.results.slo import Slo
from loadtest.results.threshold import Threshold
from loadtest.results.visits import Visit
from loadtest.statistics.threshold import threshold_of as crossing_threshold
from loadtest.statistics.threshold import throttling_threshold
from model_store.errors import ParetoServeError
from model_store.rows import Split
from paretoserve.campaigns.kept import Facts
from paretoserve.campaigns.plan import Place
from paretoserve.campaigns.probe import probed
from paretoserve.campaigns.quality import PATH, served_quality
from paretoserve.campaigns.serving import facts_of, serving, task_of
from paretoserve.campaigns.settings import Comparison
from paretoserve.candidates.candidate import Candidate
from paretoserve.hosts.endpoint import Served
from paretoserve.hosts.machine import split_cores
from paretoserve.hosts.usage import machine_times, processor_seconds, steal_share
from paretoserve.terminal.watch import Watch


@dataclass(frozen=True, slots=True)
class Task:
    """What a run is to do. `start` are the levels to begin at, where earlier blocks say so."""

    place: Place
    candidate: Candidate
    folder: Path
    common_rate_per_s: float
    asks_quality: bool
    start: tuple[int, ...] | None = None


@dataclass(slots=True)
class Measured:
    """What a run found; it grows while it goes on, so that whatever ends it leaves the rest."""

    run: Run
    quality: Quality | None = None
    facts: Facts = Facts()
    levels: dict[float, LevelResult] = field(default_factory=dict)

    def add(self, **found: Any) -> None:
        self.run = replace(self.run, **found)


def measure(task: Task, comparison: Comparison, split: Split, bodies: Path, watch: Watch) -> Measured:
    """Do one run; what goes wrong is in its `failure`, beside all that was found until then."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    measured = Measured(Run(task.place.block, task.place.place, started))
    before = machine_times()
    try:
        with serving(task.candidate, comparison, task.folder / "server.log") as server:
            measured.facts = facts_of(server.url)
            if task.asks_quality:
                measured.quality = _quality(server, task.candidate, split, watch)
            _load(server, task, comparison, bodies, measured, watch)
    except (ParetoServeError, LoadTestError, ConnectionError) as exc:
        measured.add(failure=sentence(exc))
    levels = tuple(measured.levels.values())
    measured.add(levels=levels, threshold=threshold_of(levels), steal_share=steal_share(before, machine_times()))
    return measured


def sentence(error: Exception) -> str:
    """An error in a line: what it says first, and the last words of whatever log it quotes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(dict.fromkeys((lines[0], lines[-1]))) if lines else type(error).__name__


def _quality(server: Served, candidate: Candidate, split: Split, watch: Watch) -> Quality:
    return served_quality(server.url, split, task_of(candidate), watch.do)


def _load(server: Served, task: Task, comparison: Comparison, bodies: Path, measured: Measured, watch: Watch) -> None:
    load, (_, client_cores) = comparison.load, split_cores()
    campaign = load.campaign(server.url, bodies, PATH, client_cpus=client_cores, seed=comparison.seed)
    if task.place.block and not load.exact_levels:
        campaign = replace(campaign, max_visits=load.later_visits)
    if task.start is not None:
        campaign = replace(campaign, levels=task.start)
    elif campaign.levels == "auto":
        watch.do("probing")
        # A level of one user says nothing of the threshold.
        least = 2 if comparison.is_quick else 1
        campaign = probed(campaign, comparison.queue_deadline_s, load.probe_s, task.folder / "probe", least)
    on_event = _listener(server, measured, watch)
    generator.run_campaign(campaign, task.folder, on_event)
    _at_common_rate(server, campaign, task, load.rate_s, measured, watch)
    if load.slo:
        watch.do(f"the highest rate within {load.slo}")
        rates = generator.search_rate(campaign, load.slo, task.common_rate_per_s, task.folder / "slo", watch.see)
        measured.add(rates=rates, rate_threshold=rate_threshold_of(rates, load.slo))


def _listener(server: Served, measured: Measured, watch: Watch) -> Callable[[CampaignEvent], None]:
    """Keeps each level as soon as it is done, so that it is there should the next one fail."""

    def on_event(event: CampaignEvent) -> None:
        watch.see(event)
        if isinstance(event, LevelDone):
            measured.levels[event.result.at] = event.result
            if not server.is_alive():
                raise ParetoServeError("The server ended while it was loaded; see its log, server.log.")

    return on_event


def _at_common_rate(
    server: Served, campaign: Campaign, task: Task, seconds: float, measured: Measured, watch: Watch
) -> None:
    """The open loop at the rate that all candidates are compared at, and what that costs in processor time."""
    watch.do(f"at {task.common_rate_per_s:.0f} requests/s")
    folder = task.folder / "common-rate"
    before_s = processor_seconds(server.pid)
    level = generator.run_at_rate(campaign, task.common_rate_per_s, seconds, folder, watch.see)
    after_s = processor_seconds(server.pid)
    measured.add(common_rate=level, cpu_s_per_1000=cpu_per_1000(before_s, after_s, folder / REQUESTS_FILE))
    if not server.is_alive():
        raise ParetoServeError("The server ended while it was loaded; see its log, server.log.")


def cpu_per_1000(before_s: float | None, after_s: float | None, log: Path) -> float | None:
    """Processor seconds per thousand answers, of all that the server answered meanwhile, measured or not.

    None where the server's processes cannot be seen, or where nothing was answered.
    """
    answers = sum(row.request.outcome == "ok" for row in read_rows(log))
    return None if before_s is None or after_s is None or not answers else 1000 * (after_s - before_s) / answers


def threshold_of(levels: tuple[LevelResult, ...]) -> Threshold | None:
    """In users; None where no level can be believed."""
    return throttling_threshold(levels) if any(level.is_sound and level.attempts for level in levels) else None


def rate_threshold_of(rates: tuple[LevelResult, ...], slo: Slo) -> Threshold | None:
    """The highest rate within the objective; None where no level can be believed."""
    visits = [Visit(level.at, level.late_slices) for level in rates if level.is_sound and level.late_slices]
    return crossing_threshold(visits, slo.share) if visits else None
