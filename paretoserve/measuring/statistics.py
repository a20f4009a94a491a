"""How sure a share of right answers is; differences of two are in `loadtest.statistics.accuracy`."""

import math

from recipes.finetuning.scores import wilson


def interval_of(value: float, right: int | None, n: int) -> tuple[float, float] | None:
    """Wilson's of a metric that is the share of right answers; None of any other."""
    return wilson(right, n) if right is not None and math.isclose(value, right / n) else None
