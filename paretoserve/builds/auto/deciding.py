"""Which chain is tried next, which need not be begun, and what is said of each. Nothing is built here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from model_store.errors import BackendError, RecipeError
from paretoserve.builds.auto.budget import Budget, TimeIsUp
from paretoserve.builds.auto.chains import Chain, LeftOut, expected_gain
from paretoserve.builds.auto.record import Try

FASTEST, HOLDS, TOO_LATE = "the fastest that holds", "holds", "the time budget was over"
"""Why a chain is kept, or not begun."""


@dataclass(frozen=True, slots=True)
class Drop:
    """What was lost against dense on the validation rows, in points, with its interval of 95 % where there is one."""

    points: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What an attempt found: the gain is not measured of what loses too much, nor put into the store as `variant`.

    `sha256` is the hash of the variant's artifact.
    """

    drop: Drop
    gain: float | None = None
    variant: str | None = None
    sha256: str | None = None


class Builder(Protocol):
    """What builds chains, and knows what they lose and gain."""

    def attempt(self, recipe: str, title: str, budget: Budget) -> Found:
        """Build a chain, and put it into the store if `fault` finds none.

        Raises:
            TimeIsUp: while it was trained.
            RecipeError: the chain cannot be done for this checkpoint.
            BackendError: the engine fails on it.
        """

    def seconds(self, recipe: str) -> float:
        """What was spent on a chain, in all runs."""

    def holds(self, known: Try) -> bool:
        """Whether the variant of a chain that was kept is still in the store."""


def fault(drop: Drop, gain: float | None, max_drop: float) -> str | None:
    """Why something that loses and gains so much falls; None where it is kept."""
    if drop.points > max_drop:
        return f"loses {drop.points:.2f} points; at most {max_drop:g} may be lost"
    if gain is not None and gain <= 1.0:
        return f"no faster than dense, {gain:.2f} x"
    return None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be decided: on which chains, what they may lose in points, and what was decided before.

    `keep` is told of all that is known after each chain.
    """

    chains: Sequence[Chain]
    left_out: Sequence[LeftOut]
    max_drop: float
    known: Sequence[Try]
    keep: Callable[[list[Try]], None]


def decide(plan: Plan, builder: Builder, budget: Budget) -> list[Try]:
    """What became of each chain: first those without training, then by the gain that is expected, the highest first."""
    left, tries = list(plan.chains), list[Try]()
    while left:
        chain, gain = _next(left, tries)
        left.remove(chain)
        tries.append(_tried(chain, gain, tries, plan, builder, budget))
        done = {one.recipe for one in tries}
        plan.keep([*named(tries), *(one for one in plan.known if one.recipe not in done)])
    tries += [Try(recipe=one.recipe, verdict="left out", why=one.why) for one in plan.left_out]
    plan.keep(named(tries))
    return named(tries)


def named(tries: Sequence[Try]) -> list[Try]:
    """The same, where the fastest of those that were kept is said to be that."""
    best = max((one for one in tries if one.verdict == "kept"), key=lambda one: one.gain or 0.0, default=None)
    return [
        msgspec.structs.replace(one, why=FASTEST if one is best else HOLDS) if one.verdict == "kept" else one
        for one in tries
    ]


def _next(left: Sequence[Chain], tries: Sequence[Try]) -> tuple[Chain, float]:
    """The chain to try next, and the gain that is expected of it now; of equal ones the one that trains less."""
    measured = {one.recipe: one.gain for one in tries if one.gain is not None}
    expected = {chain.recipe: expected_gain(chain, measured) for chain in left}
    chain = min(left, key=lambda one: (one.passes > 0, -expected[one.recipe], one.passes))
    return chain, expected[chain.recipe]


def _tried(chain: Chain, expected: float, tries: Sequence[Try], plan: Plan, builder: Builder, budget: Budget) -> Try:
    begun = Try(recipe=chain.recipe, expected_gain=round(expected, 2), verdict="not begun", why="")
    known = next((one for one in plan.known if one.recipe == chain.recipe), None)
    if known and known.is_decided and (known.verdict == "fell" or builder.holds(known)):
        return known
    if reason := _not_faster(expected, tries):
        return msgspec.structs.replace(begun, why=reason, seconds=known.seconds if known else None)
    if budget.is_over:
        # However little is left, a chain is begun: what a training has done by then is kept.
        late = msgspec.structs.replace(begun, why=TOO_LATE)
        return known if known and known.verdict in ("stopped", "failed") else late
    count = len(plan.chains)
    attempted = _attempted(begun, f"{chain.recipe} ({len(tries) + 1} of {count} chains)", plan, builder, budget)
    return msgspec.structs.replace(attempted, seconds=round(builder.seconds(chain.recipe), 1))


def _not_faster(expected: float, tries: Sequence[Try]) -> str | None:
    """Why a chain need not be begun, where one that was kept is as fast already."""
    faster = [one for one in tries if one.verdict == "kept" and one.gain is not None and one.gain >= expected]
    if faster:
        best = max(faster, key=lambda one: one.gain or 0.0)
        return f"expected {expected:.1f} x, no more than the {best.gain:.1f} x measured of {best.recipe}"
    return None


def _attempted(begun: Try, title: str, plan: Plan, builder: Builder, budget: Budget) -> Try:
    try:
        found = builder.attempt(begun.recipe, title, budget)
    except TimeIsUp as exc:
        return msgspec.structs.replace(begun, verdict="stopped", why=f"{TOO_LATE} at '{exc}'")
    except (RecipeError, BackendError) as exc:
        return msgspec.structs.replace(begun, verdict="failed", why=str(exc))
    reason = fault(found.drop, found.gain, plan.max_drop)
    return msgspec.structs.replace(
        begun,
        verdict="fell" if reason else "kept",
        why=reason or HOLDS,
        gain=None if found.gain is None else round(found.gain, 2),
        drop=round(found.drop.points, 2),
        drop_interval=found.drop.interval,
        variant=found.variant,
        sha256=found.sha256,
    )
