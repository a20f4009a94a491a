"""Compare candidates in blocks: each alone on a fresh server, under the same load, in an order of the block's own.

What was measured is kept; the same comparison goes on where it was stopped.
"""

import time
from collections.abc import Callable

from loadtest.report.page import write_report
from loadtest.results.comparison import REPORT_FILE, Report, Run, save_report
from loadtest.statistics.blocks import CANARY, is_decided, losers
from model_store.errors import ParetoServeError
from paretoserve.campaigns.course import Course, begun
from paretoserve.campaigns.kept import (
    QUALITY_FILE,
    RESULT_FILE,
    KeptQuality,
    KeptRun,
    forget,
    keep,
    quality_fingerprint,
    run_fingerprint,
)
from paretoserve.campaigns.measure import Task, measure
from paretoserve.campaigns.pilot import common_rate
from paretoserve.campaigns.plan import Place, levels_around, places_of, seconds_left
from paretoserve.campaigns.settings import Comparison, Levels, Load, quick
from paretoserve.hosts.container import image_id
from paretoserve.hosts.machine import split_cores
from paretoserve.terminal.watch import watching

__all__ = ["Comparison", "Levels", "Load", "compare", "quick", "split_cores"]


def compare(comparison: Comparison, plain: bool = False, check: Callable[[Report], None] | None = None) -> Report:
    """Run the whole comparison, or what is left of it, and write its report; `plain` shows lines on a terminal, too.

    `check` gets a report of conditions alone before anything is measured, and may refuse them.

    The report is written after each run. A candidate that cannot be measured is in it with the reason. Ctrl-C leaves
    the report of what is there, and goes on as KeyboardInterrupt.

    Raises:
        ParetoServeError: the data cannot be read, or nothing at all could be measured.
    """
    if comparison.containers is not None:
        for candidate in comparison.candidates:
            image_id(candidate.backend)  # before anything is measured
    columns = tuple(map(comparison.block_name, range(comparison.planned_blocks)))
    with watching(comparison.title, columns, plain) as watch:
        course = begun(comparison, watch)
        if check:
            check(course.report())
        if comparison.restarts:
            forget(comparison.out_dir)
        try:
            _run_blocks(course)
        finally:
            if course.found.runs:
                write_report(course.report(), comparison.out_dir)
    if not course.found.has_any:
        reasons = dict.fromkeys(run.failure for runs in course.found.runs.values() for run in runs if run.failure)
        raise ParetoServeError(" ".join(("Nothing could be measured.", *reasons)))
    return course.report()


def _run_blocks(course: Course) -> None:
    comparison, found = course.comparison, course.found
    found.rate = common_rate(course)
    for block in range(comparison.planned_blocks):
        names = [one.name for one in comparison.candidates if one.name not in found.dropped]
        has_canary = comparison.has_canary and comparison.candidates[0].name in names
        for place in places_of(block, names, comparison.seed, has_canary):
            _do(place, course)
            save_report(course.report(), comparison.out_dir / REPORT_FILE)
        _drop(course, is_last=block + 1 == comparison.planned_blocks)
        if not found.has_any or (block and is_decided(course.report())):
            return


def _drop(course: Course, is_last: bool) -> None:
    """Leave out of later blocks what cannot be measured or has clearly lost."""
    found = course.found
    for name, runs in found.runs.items():
        if name != CANARY and runs[-1].failure and not any(run.levels for run in runs):
            found.dropped.setdefault(name, f"It could not be measured: {runs[-1].failure}")
    if found.has_any and not is_last:
        found.dropped = losers(course.report()) | found.dropped


def _do(place: Place, course: Course) -> None:
    """One run, unless it is kept from before."""
    comparison, found = course.comparison, course.found
    candidate, name = course.candidate(place.name), comparison.block_name(place.block)
    fingerprint = run_fingerprint(candidate, comparison, course.data, course.rate_per_s)
    quality_file = comparison.out_dir / candidate.name / QUALITY_FILE
    answers = quality_fingerprint(candidate, comparison, course.data)
    if quality := course.kept(quality_file, answers, KeptQuality, f"{candidate.name}, quality"):
        found.qualities[candidate.name] = quality.quality
    file = course.folder(place) / RESULT_FILE
    if kept := course.kept(file, fingerprint, KeptRun, f"{place.name}, {name}"):
        found.add(place, kept.run, kept.facts)
        del course.planned_s[len(course.taken_s)]
        course.watch.skip(place.name, name, _outcome(kept.run))
        return
    course.watch.begin(place.name, name, seconds_left(course.planned_s, course.taken_s))
    started_s = time.monotonic()
    measured = measure(_task(place, course), comparison, course.split, course.bodies, course.watch)
    course.taken_s.append(time.monotonic() - started_s)
    if measured.quality:
        found.qualities[candidate.name] = measured.quality
        keep(quality_file, answers, KeptQuality(measured.quality))
    found.add(place, measured.run, measured.facts)
    # What failed is tried again by the next command.
    if not measured.run.failure:
        keep(file, fingerprint, KeptRun(measured.run, measured.facts))
    course.watch.end(place.name, name, _outcome(measured.run))


def _task(place: Place, course: Course) -> Task:
    exact = course.comparison.load.exact_levels
    return Task(
        place,
        course.candidate(place.name),
        course.folder(place),
        course.rate_per_s,
        asks_quality=place.name not in (CANARY, *course.found.qualities),
        start=None if exact else levels_around(course.found.runs.get(place.name, ())),
    )


def _outcome(run: Run) -> str:
    """For the one who watches: the threshold, or why there is none."""
    return run.failure or (run.threshold.text if run.threshold else "no level can be believed")
