"""A long mix of good and bad traffic, with kills where asked for: what a server holds over time."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import fmean
from typing import Any

import httpx
import psutil
from scipy.stats import theilslopes

from benchmarks.hostile.bodies import plain_body
from benchmarks.hostile.cases import Case, any_case, request
from benchmarks.hostile.exchange import Link, fault_of
from benchmarks.hostile.watch import Holding, Server

ANSWER_S = 30.0
SAMPLE_S = 1.0

# Shares of requests that are spoiled, and whose client leaves before the answer; the rest is in order.
SPOILED, LEAVES = 0.15, 0.1

# What is answered where a worker was killed: that it ended with the request, or that none is ready.
KILLED = {500, 503}

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Soak:
    """`clients` ask without pause for `seconds`. What is held counts from `settle_s` on, when caches are full.

    With `kill_every_s` a worker is killed as often.
    """

    seconds: float
    settle_s: float = 600.0
    clients: int = 8
    seed: int = 0
    kill_every_s: float | None = None


@dataclass(slots=True)
class Soaked:
    """What came of it. `samples` have the seconds since the start, and what each process held."""

    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[float, Mapping[str, Holding]]] = field(default_factory=list)
    kills: int = 0

    def figures(self, settle_s: float) -> dict[str, Any]:
        settled = [(at, held) for at, held in self.samples if at >= settle_s]
        names = sorted(set.intersection(*(set(held) for _, held in settled)))
        return {
            "requests": sum(self.statuses.values()),
            "statuses": dict(sorted(self.statuses.items())),
            "faults": dict(self.faults),
            "kills": self.kills,
            "memory_mib_per_hour": {name: _slope(_by_minute(settled, name, fmean)) for name in names},
            "least_memory_mib_per_hour": {name: _slope(_by_minute(settled, name, min)) for name in names},
            "resident_mib_by_minute": {name: _by_minute(settled, name, fmean) for name in names},
            "least_resident_mib_by_minute": {name: _by_minute(settled, name, min) for name in names},
            "resident_mib": {
                name: _ends(settled, name, lambda one: round(one.resident_bytes / 2**20, 1)) for name in names
            },
            "descriptors": {name: _ends(self.samples, name, lambda one: one.descriptors) for name in names},
            "threads": {name: _ends(self.samples, name, lambda one: one.threads) for name in names},
            "children": {name: _ends(self.samples, name, lambda one: one.children) for name in names},
        }


def _ends(
    samples: Sequence[tuple[float, Mapping[str, Holding]]], name: str, of: Callable[[Holding], float]
) -> list[float]:
    return [of(samples[0][1][name]), of(samples[-1][1][name])]


def _slope(minutes: Mapping[int, float]) -> dict[str, float]:
    """MiB an hour by Theil and Sen, which single peaks do not move, with its interval of 95 %, of a value per minute.

    Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968).
    """
    found = theilslopes(list(minutes.values()), list(minutes), alpha=0.95)
    slopes = {"slope": found.slope, "low": found.low_slope, "high": found.high_slope}
    return {name: float(one) * 60 for name, one in slopes.items()}


def _by_minute(
    samples: Sequence[tuple[float, Mapping[str, Holding]]], name: str, of: Callable[[Sequence[float]], float]
) -> dict[int, float]:
    """Resident memory of each minute in MiB. Memory is given back to the system twice a minute, so the least of a
    minute is what the process cannot give back, which is what a leak adds to."""
    minutes: dict[int, list[float]] = {}
    for at, held in samples:
        minutes.setdefault(int(at // 60), []).append(held[name].resident_bytes / 2**20)
    return {minute: round(of(sizes), 3) for minute, sizes in minutes.items()}


def run_soak(server: Server, plan: Soak, progress: Callable[[float], None] = lambda seconds: None) -> Soaked:
    """Ask until the time is over. The first sample was taken before any client came, the last when all had gone."""
    soaked = Soaked(samples=[(0.0, server.holdings())])
    names = {"name": httpx.get(f"{server.url}/variants").json()["default"]}
    asyncio.run(_run(server, plan, names, soaked, progress))
    soaked.samples.append((plan.seconds, server.settled_holdings(soaked.samples[0][1])))
    return soaked


async def _run(
    server: Server, plan: Soak, names: Mapping[str, str], soaked: Soaked, progress: Callable[[float], None]
) -> None:
    began = time.monotonic()
    clients = [_client(server.url, plan, number, names, began, soaked) for number in range(plan.clients)]
    async with asyncio.TaskGroup() as group:
        group.create_task(_sample(server, plan, began, soaked, progress))
        if plan.kill_every_s:
            group.create_task(_kill(server, plan, plan.kill_every_s, began, soaked))
        for client in clients:
            group.create_task(client)


async def _client(url: str, plan: Soak, number: int, names: Mapping[str, str], began: float, soaked: Soaked) -> None:
    dice, link = Random(f"{plan.seed}-{number}"), None  # noqa: S311  nothing is kept secret by it
    host, _, port = url.removeprefix("http://").rpartition(":")
    while time.monotonic() - began < plan.seconds:
        case = _case(dice, names)
        if link is None or not link.is_open or not case.reuses:
            if link is not None:
                link.abort()
            _, link = await asyncio.get_running_loop().create_connection(Link, host, int(port))
        outcome = await link.send(case, ANSWER_S)
        soaked.statuses.update(map(str, outcome.statuses) if outcome.statuses else [outcome.end])
        what = fault_of(case, outcome)
        if what and not (plan.kill_every_s and KILLED & set(outcome.statuses)):
            soaked.faults[what] += 1
        if not (outcome.reusable and case.reuses):
            link.abort()
            link = None
    if link is not None:
        link.abort()


def _case(dice: Random, names: Mapping[str, str]) -> Case:
    chance = dice.random()
    if chance < SPOILED:
        return any_case(dice, names)
    body = plain_body(dice)
    sent = (request("POST", body.path, body.headers, body.content),)
    if chance < SPOILED + LEAVES:
        return Case("client leaves", sent, answers=0, may_close=True, leaves=True)
    return Case("plain", sent, reuses=True)


async def _sample(server: Server, plan: Soak, began: float, soaked: Soaked, progress: Callable[[float], None]) -> None:
    while (at := time.monotonic() - began) < plan.seconds:
        # A worker that was just killed has nothing to be looked at; any other must be there.
        gone = (psutil.NoSuchProcess, FileNotFoundError) if plan.kill_every_s else ()
        with contextlib.suppress(*gone):
            soaked.samples.append((at, await asyncio.to_thread(server.holdings)))
        progress(at)
        await asyncio.sleep(min(SAMPLE_S, plan.seconds - at))


async def _kill(server: Server, plan: Soak, every_s: float, began: float, soaked: Soaked) -> None:
    dice = Random(plan.seed)  # noqa: S311  nothing is kept secret by it
    while time.monotonic() - began + every_s < plan.seconds:
        await asyncio.sleep(every_s)
        pids = [pid for pid in await asyncio.to_thread(server.worker_pids) if pid]
        # One that has just ended by itself needs no kill.
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            psutil.Process(dice.choice(pids)).send_signal(signal.SIGKILL)
            soaked.kills += 1
