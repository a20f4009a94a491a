"""How good answers are: accuracy with its interval, and for two classes the measures that GLUE reports beside it."""

import math
from collections.abc import Sequence

import msgspec

from model_store.matthews import matthews

# Of the normal distribution, for 95 %.
_Z = 1.959963984540054


class Scores(msgspec.Struct, frozen=True):
    """Of `n` rows `correct` are right. `interval_95` holds the accuracy of the task with 95 % confidence (Wilson).

    `matthews` (-1 to 1) and `f1` (0 to 1, of the second label) are of tasks with two labels, else None.
    """

    n: int
    correct: int
    accuracy: float
    interval_95: tuple[float, float]
    matthews: float | None = None
    f1: float | None = None


def scores_of(answers: Sequence[int], targets: Sequence[int], labels: int) -> Scores:
    """The scores of answers to rows, both as indices of `labels` labels."""
    pairs = list(zip(answers, targets, strict=True))
    correct = sum(answer == target for answer, target in pairs)
    both = (matthews(pairs), f1(pairs)) if labels == 2 else (None, None)
    return Scores(len(pairs), correct, correct / len(pairs), wilson(correct, len(pairs)), *both)


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22, 209)."""
    share, spread = correct / n, _Z**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def f1(pairs: Sequence[tuple[int, int]]) -> float:
    """The harmonic mean of precision and recall of answer 1; 0 where it never occurs."""
    right, wrong = pairs.count((1, 1)), sum(answer != target for answer, target in pairs)
    below = 2 * right + wrong
    return 2 * right / below if below else 0.0
