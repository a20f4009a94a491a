"""Compare candidates: serve each alone on the same cores, measure its quality over HTTP, load it, report."""

import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from handlers.backends.catalogue import artifact_name
from handlers.tasks.base import AnyTask
from handlers.tasks.catalogue import open_task
from loadtest.campaign import Campaign, CampaignEvent, run_campaign
from loadtest.generator.events import LevelDone, LevelStarted, LevelTicked
from loadtest.report.page import write_report
from loadtest.results.comparison import CandidateReport, Quality, Report, Run
from loadtest.results.levels import LevelResult
from loadtest.statistics.threshold import throttling_threshold
from model_store.rows import Split
from paretoserve.campaigns.quality import PATH, served_quality, with_difference, write_bodies
from paretoserve.candidates.candidate import Candidate
from paretoserve.hosts.container import Limits, image_id, image_of, running_container
from paretoserve.hosts.endpoint import describe_variants
from paretoserve.hosts.machine import describe_machine, describe_versions
from paretoserve.hosts.process import running_server
from paretoserve.terminal.progress import Progress, progress
from recipes.data.rows import Columns, load_data
from serving.cpu_plan import usable_cores

Levels = tuple[int, ...] | Literal["auto"]


@dataclass(frozen=True, slots=True)
class Load:
    """How users behave, and for how long each level is measured."""

    levels: Levels = "auto"
    think_time_s: float = 0.1
    min_dwell_s: float = 6.0
    max_dwell_s: float = 15.0
    first_users: int = 1
    """Where `auto` begins."""
    ramp_s: float = 2.0
    """From one level to the next."""
    settle_s: float = 2.0
    """Discarded at the start of a level."""
    exact_levels: bool = False
    """Visit these levels and no others, instead of searching for the threshold from them on."""
    max_visits: int = 20
    """The search ends after so many visits to levels."""

    def campaign(self, url: str, bodies: Path, path: str, **more: Any) -> Campaign:
        """The same load on an endpoint."""
        return Campaign(
            url=url,
            bodies=bodies,
            path=path,
            levels=self.levels,
            exact_levels=self.exact_levels,
            max_visits=self.max_visits,
            think_time_s=self.think_time_s,
            min_dwell_s=self.min_dwell_s,
            max_dwell_s=self.max_dwell_s,
            first_users=self.first_users,
            ramp_s=self.ramp_s,
            settle_s=self.settle_s,
            **more,
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to compare and under which load. The settings are the same for every candidate."""

    candidates: Sequence[Candidate]
    data: str
    out_dir: Path
    load: Load = Load()
    queue_deadline_s: float = 0.1
    texts_per_request: int = 1
    columns: Columns = Columns()
    title: str = "Comparison"
    # Where given, each candidate runs in a container with these limits, and in a process of this machine otherwise.
    containers: Limits | None = None


def compare(comparison: Comparison) -> Report:
    """Run the whole comparison and write its report.

    Raises:
        ParetoServeError, LoadTestError: a candidate cannot be served, or a campaign failed.
    """
    if comparison.containers is not None:
        for candidate in comparison.candidates:
            image_id(candidate.backend)  # before anything is measured
    task = _task(comparison.candidates[0])
    split = load_data(comparison.data, task.target, comparison.columns).evaluation
    inputs = [task.inputs(row) for row in split.rows]
    bodies = write_bodies(inputs, comparison.texts_per_request, comparison.out_dir / "bodies.jsonl")
    measured = [_measure(candidate, comparison, split, bodies) for candidate in comparison.candidates]
    engines = [engine for _, engine in measured if engine]
    report = Report(
        candidates=tuple(candidate for candidate, _ in measured),
        think_time_s=comparison.load.think_time_s,
        conditions=_conditions(comparison, split, engines),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        title=comparison.title,
    )
    write_report(report, comparison.out_dir)
    return report


def split_cores() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cores of the server and of the load generator: the last core generates, unless there is but one."""
    cores = usable_cores()
    return (cores, cores) if len(cores) == 1 else (cores[:-1], cores[-1:])


def _measure(
    candidate: Candidate, comparison: Comparison, split: Split, bodies: Path
) -> tuple[CandidateReport, str | None]:
    """The report of a candidate, and the name and version of the engine that ran it."""
    _, client_cores = split_cores()
    folder = comparison.out_dir / candidate.name
    with _serving(candidate, comparison, folder / "server.log") as url:
        task = _task(candidate)
        with progress(f"{candidate.name}: {task.metric}") as report:
            quality = served_quality(url, split, task, report)
        campaign = comparison.load.campaign(url, bodies, PATH, client_cpus=client_cores)
        levels = run_with_progress(campaign, folder, f"{candidate.name}: load")
        facts = describe_variants(url)[0]
    return _candidate_report(candidate, quality, levels, facts), _engine(facts)


def _task(candidate: Candidate) -> AnyTask:
    return open_task(candidate.manifest.task, candidate.manifest.task_settings)


def _serving(candidate: Candidate, comparison: Comparison, log_file: Path) -> AbstractContextManager[str]:
    """The candidate alone on the cores of the server; gives its URL."""
    cores, _ = split_cores()
    options = ("--queue-deadline", str(comparison.queue_deadline_s))
    if comparison.containers is not None:
        return running_container(candidate, log_file, options, cores, comparison.containers)
    return running_server([f"{candidate.folder}@{candidate.backend}"], log_file, options, cores)


def run_with_progress(campaign: Campaign, out_dir: Path, title: str) -> tuple[LevelResult, ...]:
    """Run a campaign under a progress bar that shows the level, its rate and its rejections."""
    with progress(title) as report:
        return run_campaign(campaign, out_dir, _Ticker(report))


def one_run(levels: tuple[LevelResult, ...]) -> Run:
    """The only run of a candidate."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return Run(0, 0, started, levels, throttling_threshold(levels) if any(one.is_sound for one in levels) else None)


class _Ticker:
    """Turns the events of a campaign into progress; a level is done in proportion to its time."""

    def __init__(self, report: Progress) -> None:
        self._report = report
        self._planned = 1

    def __call__(self, event: CampaignEvent) -> None:
        match event:
            case LevelStarted():
                # While `auto` searches, the number of levels is unknown: assume a few more.
                self._planned = event.planned or event.index + 4
                self._report(f"{event.users} users", event.index / self._planned)
            case LevelTicked():
                within = min(1.0, event.elapsed_s / event.max_dwell_s)
                figures = f"{event.users} users, {event.ok_per_s:.0f}/s, {event.unserved_share:.1%} unserved"
                self._report(figures, (event.index + within) / self._planned)
            case LevelDone():
                self._report(f"{event.result.users} users done", (event.index + 1) / self._planned)


def _candidate_report(
    candidate: Candidate, quality: Quality, levels: tuple[LevelResult, ...], facts: dict[str, Any]
) -> CandidateReport:
    artifacts = candidate.manifest.artifacts
    artifact = artifacts.get(artifact_name(candidate.backend, artifacts))
    engine = facts.get("engine")
    return CandidateReport(
        name=candidate.name,
        variant=candidate.manifest.variant,
        backend=candidate.backend,
        runs=(one_run(levels),),
        quality=with_difference(quality, artifact.quality if artifact else None),
        size_bytes=artifact.bytes if artifact else None,
        parameters=candidate.manifest.parameters,
        nonzero=candidate.manifest.nonzero,
        precision=engine["executed_precision"] if isinstance(engine, dict) else None,
        macs_per_token=candidate.manifest.macs_per_token,
        made_in_s=candidate.manifest.seconds,
    )


def _engine(facts: dict[str, Any]) -> str | None:
    # As its worker reports it: the engine may not be installed for this interpreter.
    engine = facts.get("engine")
    return f"{engine['engine']} {engine['version']}" if isinstance(engine, dict) else None


def _conditions(comparison: Comparison, split: Split, engines: Sequence[str]) -> dict[str, str]:
    server_cores, client_cores = split_cores()
    return {
        "Model": comparison.candidates[0].manifest.model,
        "Data": f"{split.dataset}/{split.split}, {len(split.rows)} texts, {comparison.texts_per_request} per request",
        "Users": f"closed loop, exponential think time with a mean of {comparison.load.think_time_s * 1000:.0f} ms",
        "Admission": f"queue deadline of {comparison.queue_deadline_s * 1000:.0f} ms, the same for every candidate",
        "Server": _host(comparison),
        "Cores of the server": ", ".join(map(str, server_cores)),
        "Cores of the load generator": ", ".join(map(str, client_cores)),
        **describe_machine(),
        "Versions": ", ".join((describe_versions(("paretoserve", "locust")), *dict.fromkeys(engines))),
        "Command": shlex.join(["paretoserve", *sys.argv[1:]]),
    }


def _host(comparison: Comparison) -> str:
    if comparison.containers is None:
        return "a process of this machine"
    backends = dict.fromkeys(candidate.backend for candidate in comparison.candidates)
    images = ", ".join(dict.fromkeys(f"{image_of(one)} ({image_id(one)})" for one in backends))
    return f"a container each of {images}, with {comparison.containers}"
