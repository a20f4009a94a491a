"""When a level says enough of its unserved share before its time is up."""

from collections.abc import Sequence
from typing import Literal

from loadtest.results.visits import Slice

Settled = Literal["clean", "hopeless"]


def settled(slices: Sequence[Slice], share: float) -> Settled | None:
    """Whether the unserved share is beyond doubt far below `share`, or far above it; None where it is neither.

    `slices` are the seconds of the visit so far.
    """
    raise NotImplementedError
