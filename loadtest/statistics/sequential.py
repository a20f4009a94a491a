"""When a level says enough of its unserved share before its time is up.

Wald's sequential probability ratio (Annals of Mathematical Statistics 16, 1945) of a share several times the limit, or
a part of it, against the limit itself. Unserved requests come in bursts, which are worth less than as many single ones:
the logarithm of the ratio is divided by the dispersion (see `loadtest.statistics.crossing`).
"""

from collections.abc import Sequence
from math import log
from typing import Literal

from loadtest.results.visits import Slice, Visit
from loadtest.statistics.crossing import dispersion_of

Settled = Literal["clean", "hopeless"]

# What is far from the limit: so many times it, or that part of it.
FAR = 4.0
MOST_WRONG = 0.001
# A full queue may stay full for a second or two.
LEAST_SECONDS = 3


def settled(slices: Sequence[Slice], share: float) -> Settled | None:
    """Whether the unserved share is beyond doubt far below `share`, or far above it; None where it is neither.

    `slices` are the seconds of the visit so far.
    """
    seen = tuple(one for one in slices if one.attempts)
    if len(seen) < LEAST_SECONDS:
        return None
    attempts, bad = sum(one.attempts for one in seen), sum(one.bad for one in seen)
    bound = -log(MOST_WRONG) * dispersion_of([Visit(0, seen)])[0]
    if _log_ratio(attempts, bad, min(FAR * share, 0.99), share) > bound:
        return "hopeless"
    return "clean" if _log_ratio(attempts, bad, share / FAR, share) > bound else None


def _log_ratio(attempts: int, bad: int, other: float, share: float) -> float:
    """Of the binomial likelihoods of the other share and of this one."""
    return bad * log(other / share) + (attempts - bad) * log((1 - other) / (1 - share))
