"""Many spoiled requests to one server: none may be left without its answer, bring down a worker, or leave anything."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import msgspec

from benchmarks.hostile.bodies import Body
from benchmarks.hostile.cases import Case, any_case, request
from benchmarks.hostile.exchange import Link, Outcome, fault_of
from benchmarks.hostile.watch import Holding, Server

ANSWER_S = 20.0

# Between two of these every client asks something plain, whose answer is known.
PLAIN_EVERY = 50

MOST_FAULTS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """A case that went wrong. `number` and the run's seed make it again."""

    number: int
    kind: str
    what: str


@dataclass(slots=True)
class Fuzzed:
    """What came of a run."""

    requests: int = 0
    seconds: float = 0.0
    # Of all of these, the first ones.
    faulty: int = 0
    faults: list[Fault] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    before: Mapping[str, Holding] = field(default_factory=dict)
    after: Mapping[str, Holding] = field(default_factory=dict)
    restarts: int = 0

    @property
    def left(self) -> list[str]:
        """What each process holds more than before, in words."""
        more = {name: self.after[name].descriptors - one.descriptors for name, one in self.before.items()}
        return [f"{count} descriptors of {name}" for name, count in more.items() if count > 0]

    def figures(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "seconds": round(self.seconds, 1),
            "faults": self.faulty,
            "worker_restarts": self.restarts,
            "kinds": dict(self.kinds),
            "statuses": dict(sorted(self.statuses.items())),
            "descriptors": {name: [one.descriptors, self.after[name].descriptors] for name, one in self.before.items()},
            "threads": {name: [one.threads, self.after[name].threads] for name, one in self.before.items()},
        }


@dataclass(frozen=True, slots=True)
class Fuzz:
    """`requests` cases by `clients` at once, made from `seed`; a case is the same whatever came before it."""

    requests: int
    seed: int = 0
    clients: int = 16
    first: int = 0

    def case(self, number: int, names: Mapping[str, str]) -> Case:
        return any_case(Random(f"{self.seed}-{number}"), names)  # noqa: S311  nothing is kept secret by it


def run_fuzz(server: Server, plan: Fuzz, progress: Callable[[int], None] = lambda done: None) -> Fuzzed:
    """Send all cases, and look at the server before and after."""
    with httpx.Client(base_url=server.url, timeout=30) as http:
        names = {"name": http.get("/variants").json()["default"]}
        plain = Plain(http)
        found = Fuzzed(before=server.holdings())
        pids, started = server.worker_pids(), time.monotonic()
        asyncio.run(_run(server, plan, names, plain, found, progress))
        found.seconds = time.monotonic() - started
        found.after = server.settled_holdings(found.before)
        found.restarts = sum(before != after for before, after in zip(pids, server.worker_pids(), strict=True))
    return found


class Plain:
    """A request that is in order, and the answer to it that the server gave when nothing else was asked."""

    def __init__(self, http: httpx.Client) -> None:
        content = b'{"inputs": "it is a good movie"}'
        body = Body(content, {"content-type": "application/json"})
        self.case = Case("plain", (request("POST", body.path, body.headers, body.content),), reuses=True)
        answer = http.post(body.path, content=content, headers=body.headers).raise_for_status()
        self._label, self._score = answer.json()[0]["label"], answer.json()[0]["score"]

    def is_answered(self, outcome: Outcome) -> bool:
        """The score to some digits, since the company in a call of the engine changes the last ones."""
        if outcome.statuses != [200]:
            return outcome.statuses == [429]
        (one,) = msgspec.json.decode(outcome.contents[0])
        return one["label"] == self._label and math.isclose(one["score"], self._score, abs_tol=1e-3)


async def _run(
    server: Server,
    plan: Fuzz,
    names: Mapping[str, str],
    plain: Plain,
    found: Fuzzed,
    progress: Callable[[int], None],
) -> None:
    numbers = iter(range(plan.first, plan.first + plan.requests))

    def cases() -> Iterator[tuple[int, Case]]:
        for number in numbers:
            yield number, plan.case(number, names)

    await asyncio.gather(*(_client(server.url, cases(), plain, found, progress) for _ in range(plan.clients)))


async def _client(
    url: str, cases: Iterable[tuple[int, Case]], plain: Plain, found: Fuzzed, progress: Callable[[int], None]
) -> None:
    link: Link | None = None
    for sent, (number, case) in enumerate(cases):
        link = await _send(url, link, number, case, found)
        if sent % PLAIN_EVERY == 0:
            link = await _send(url, link, number, plain.case, found, plain)
        progress(found.requests)
    if link is not None:
        link.abort()


async def _send(
    url: str, link: Link | None, number: int, case: Case, found: Fuzzed, plain: Plain | None = None
) -> Link | None:
    """Send a case over the open link, or over one of its own; the link that the next case may use."""
    if link is None or not link.is_open or not case.reuses:
        if link is not None:
            link.abort()
        link = await _connect(url)
    outcome = await link.send(case, ANSWER_S)
    found.requests += 1
    found.kinds[case.kind] += 1
    found.statuses.update(map(str, outcome.statuses) if outcome.statuses else [outcome.end])
    what = fault_of(case, outcome)
    if not what and plain is not None and not plain.is_answered(outcome):
        what = "a request in order got another answer"
    if what:
        found.faulty += 1
        if len(found.faults) < MOST_FAULTS_KEPT:
            found.faults.append(Fault(number, case.kind, what))
    if outcome.reusable and case.reuses:
        return link
    link.abort()
    return None


async def _connect(url: str) -> Link:
    host, _, port = url.removeprefix("http://").rpartition(":")
    _, link = await asyncio.get_running_loop().create_connection(Link, host, int(port))
    return link
