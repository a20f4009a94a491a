"""The process that loads an endpoint at rates, level by level: `python -m loadtest.generator.lean.levels`."""

import argparse
import asyncio
import gc
import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvloop

from loadtest.generator.events import LevelDone, LevelStarted
from loadtest.generator.health import PAUSE_S, Health, no_garbage_collection
from loadtest.generator.lean.open_loop import OpenLoop
from loadtest.generator.lean.plan import Record
from loadtest.generator.lean.translate import is_ok, order_of, plan_of, rows_of
from loadtest.generator.outputs import Level, Outputs, Tally
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign, decode_campaign, read_bodies
from loadtest.results.levels import LevelResult, VisitWindow, Window
from loadtest.results.records import RequestRow
from loadtest.results.request_log import append_rows
from loadtest.statistics.levels import VisitRows, due_rows, is_due_in, summarise_visits
from loadtest.statistics.rate_search import late_share, next_rate
from loadtest.statistics.steadiness import why_unsteady_at_rate

_TICK_S = 0.5


@dataclass(slots=True)
class Rates:
    """Visits to levels of the open loop, one after the other."""

    campaign: Campaign
    bodies: tuple[bytes, ...]
    outputs: Outputs
    done: dict[float, LevelResult] = field(default_factory=dict)
    _seen: dict[float, list[VisitRows]] = field(default_factory=dict)
    _begun_s: float = field(default_factory=time.perf_counter)
    _index: int = 0

    async def visit(self, rate_per_s: float, seconds: float) -> None:
        """Send for `seconds` after the level has settled, and wait for what becomes of it all."""
        campaign, seen = self.campaign, self._seen.setdefault(rate_per_s, [])
        self.outputs.emit(LevelStarted(self._index, 0, None, rate_per_s))
        arrivals = Arrivals(campaign.arrivals, rate_per_s, seed=campaign.seed, visit=len(seen))
        order = order_of(arrivals, len(self.bodies))
        bodies = [self.bodies[number] for number in order]
        sent_s = campaign.settle_s + seconds
        loop = OpenLoop(plan_of(campaign, bodies, arrivals=arrivals, seconds=sent_s))
        with no_garbage_collection():
            health = await self._send(loop, rate_per_s, seconds)
        begun_s = loop.begun_s - self._begun_s
        window = Window(begun_s + campaign.settle_s, begun_s + sent_s)
        visit = self._visit(rate_per_s, window, health, loop.records)
        self._finish(visit, rows_of(loop.records, order, begun_s))

    async def _send(self, loop: OpenLoop, rate_per_s: float, seconds: float) -> Health:
        """Runs the loop to its end; returns how the generator fared in the window."""
        sending = asyncio.create_task(loop.run())
        await asyncio.wait((sending,), timeout=self.campaign.settle_s)
        health = Health()
        level = Level(self._index, seconds, rate_per_s=rate_per_s)
        watching = asyncio.create_task(_watch(health)), asyncio.create_task(self._report(loop, level))
        await asyncio.wait((sending, *watching), timeout=seconds)
        health.close()
        for task in watching:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await sending
        return health

    async def _report(self, loop: OpenLoop, level: Level) -> None:
        """Says twice a second what the level is like."""
        started_s, tally = time.perf_counter(), Tally(level, len(loop.records))
        while True:
            await asyncio.sleep(_TICK_S)
            tally.add((is_ok(record), 1e3 * record.seconds) for record in loop.records[tally.seen :])
            self.outputs.emit(tally.ticked(time.perf_counter() - started_s))

    def _visit(self, rate_per_s: float, window: Window, health: Health, records: list[Record]) -> VisitWindow:
        not_sent = sum(record.outcome == "not sent" for record in records)
        return VisitWindow(
            at=rate_per_s,
            window=window,
            in_flight=0,
            generator_cpu_share=health.cpu_share,
            loop_lag_p99_ms=health.loop_lag_p99_ms,
            not_sent=not_sent,
        )

    def _finish(self, visit: VisitWindow, rows: list[RequestRow]) -> None:
        measured = due_rows(visit, rows)
        if not self._is_late(measured):
            measured = due_rows(replace(visit, unsteady=why_unsteady_at_rate(rows, visit.window)), rows)
        self._seen[visit.at].append(measured)
        marked = ((is_due_in(row, visit.window), row) for row in rows)
        append_rows(self.outputs.requests, self._index, visit.at, marked)
        result = summarise_visits(self._seen[visit.at], self.campaign.slo, closed_loop=False)
        self.done[visit.at] = result
        self.outputs.emit(LevelDone(self._index, result))
        self._index += 1

    def _is_late(self, visit: VisitRows) -> bool:
        """Whether the objective is missed: above what a server can do there is no steady state to wait for."""
        slo = self.campaign.slo
        return slo is not None and late_share(summarise_visits([visit], slo, closed_loop=False)) > slo.share


async def _watch(health: Health) -> None:
    while True:
        before_s = time.perf_counter()
        await asyncio.sleep(PAUSE_S)
        health.overslept(time.perf_counter() - before_s)


async def _search(rates: Rates, start_per_s: float, seconds: float) -> None:
    until_s = time.perf_counter() + (rates.campaign.max_search_s or math.inf)
    while time.perf_counter() < until_s and (rate := next_rate(rates.campaign, start_per_s, list(rates.done.values()))):
        await rates.visit(rate, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Loads an endpoint in an open loop.")
    parser.add_argument("--campaign", type=Path, required=True, help="JSON file with the settings of the campaign")
    parser.add_argument("--requests-out", type=Path, required=True, help="gzipped CSV file, one row per request")
    parser.add_argument("--events-fd", type=int, required=True, help="file descriptor that gets JSON lines of progress")
    parser.add_argument("--rate", type=float, required=True, help="requests per second")
    parser.add_argument("--seconds", type=float, required=True, help="how long a level is measured")
    parser.add_argument(
        "--search", action="store_true", help="go on from this rate to the highest within the objective"
    )
    options = parser.parse_args()
    campaign = decode_campaign(options.campaign.read_bytes())
    if campaign.client_cpus is not None:
        os.sched_setaffinity(0, campaign.client_cpus)
    rates = Rates(campaign, read_bodies(campaign.bodies), Outputs(options.requests_out, options.events_fd))
    gc.freeze()
    visits = (
        _search(rates, options.rate, options.seconds) if options.search else rates.visit(options.rate, options.seconds)
    )
    uvloop.run(visits)


if __name__ == "__main__":
    main()
