"""A queue with one server and a gate, in simulated time: what it does under so many users is known, or can be."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.results.visits import Slice, Visit

# Of a service time, by its mean.
VARIATION = 0.2

_DRAWN = 4096


@dataclass(frozen=True, slots=True)
class Queue:
    """Answers take `service_s` on average, one after the other; who would wait longer than `gate_s` is rejected.

    Users think for an exponential time with a mean of `think_s`, served or not.
    """

    service_s: float
    gate_s: float = 0.1
    think_s: float = 0.1
    drift: Callable[[float], float] | None = None
    """By how much a service takes longer that begins at so many seconds."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """`done_s` counts from the begin of the simulation."""

    done_s: float
    response_s: float
    served: bool


def attempts(queue: Queue, users: int, seconds: float, random: np.random.Generator) -> Iterator[Attempt]:
    """All that is over before `seconds`, about in the order of arrival."""
    shape = VARIATION**-2
    arrivals = list(random.uniform(0, queue.think_s, users))
    heapq.heapify(arrivals)
    free_s, place = 0.0, _DRAWN
    while (now_s := arrivals[0]) < seconds:
        if place == _DRAWN:
            place = 0
            services_s = random.gamma(shape, queue.service_s / shape, _DRAWN).tolist()
            thoughts_s = random.exponential(queue.think_s, _DRAWN).tolist()
        wait_s = max(0.0, free_s - now_s)
        done_s = now_s
        if served := wait_s <= queue.gate_s:
            slower = queue.drift(now_s) if queue.drift else 1.0
            done_s = free_s = now_s + wait_s + services_s[place] * slower
        heapq.heapreplace(arrivals, done_s + thoughts_s[place])
        place += 1
        if done_s < seconds:
            yield Attempt(done_s, done_s - now_s, served)


def visit(queue: Queue, users: int, seconds: float, random: np.random.Generator, settle_s: float = 2.0) -> Visit:
    """A level of so many seconds, after it has settled."""
    slices = [[0, 0] for _ in range(round(seconds))]
    for attempt in attempts(queue, users, settle_s + len(slices), random):
        if attempt.done_s >= settle_s:
            one = slices[int(attempt.done_s - settle_s)]
            one[0] += 1
            one[1] += not attempt.served
    return Visit(users, tuple(Slice(*one) for one in slices))


def true_crossing(queue: Queue, around: range, share: float = 0.01, seconds: float = 3000.0) -> float:
    """Where the unserved share crosses `share`, from very long levels; it must lie in `around`."""
    levels = [visit(queue, users, seconds, np.random.default_rng(users)) for users in around]
    shares = [sum(one.bad for one in level.slices) / sum(one.attempts for one in level.slices) for level in levels]
    odds = [np.log(max(share, 1e-9) / (1 - share)) for share in shares]
    return float(np.interp(np.log(share / (1 - share)), odds, list(around)))
