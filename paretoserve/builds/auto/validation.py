"""What artifacts lose on rows split off the train split, and how much faster one is than another."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from handlers.tasks.base import AnyTask
from loadtest.statistics.accuracy import paired_difference
from model_store.rows import Row
from paretoserve.builds.auto.deciding import Drop
from paretoserve.builds.auto.record import Scored

# Machines drift: one is measured after the other, so often, and the middle one of the ratios counts.
TURNS = 5


def scored(task: AnyTask, answers: Sequence[Any], rows: Sequence[Row]) -> Scored:
    """The score of answers for rows, and which of them are wrong where the score is the share of right ones."""
    score = task.score(answers, rows)
    if score.correct is None or not math.isclose(score.value, score.correct / len(rows)):
        return Scored(value=score.value)
    pairs = zip(answers, rows, strict=True)
    wrong = [place for place, (answer, row) in enumerate(pairs) if not task.score([answer], [row]).correct]
    return Scored(value=score.value, wrong=wrong)


def drop_of(dense: Scored, ours: Scored, rows: int) -> Drop:
    """What we lost of what `dense` scores on the same rows."""
    points = round(100 * (dense.value - ours.value), 4)
    if dense.wrong is None or ours.wrong is None:
        return Drop(points)
    low, high = paired_difference(_right(dense.wrong, rows), _right(ours.wrong, rows)).interval
    return Drop(points, (round(100 * low, 2), round(100 * high, 2)))


def _right(wrong: Sequence[int], rows: int) -> list[bool]:
    places = set(wrong)
    return [place not in places for place in range(rows)]


def gain_of(ours: Callable[[], float], dense: Callable[[], float]) -> float:
    """How many times as fast we are: both functions measure, in turns."""
    ratios = []
    for _ in range(TURNS):
        before = dense()
        ratios.append(ours() / before)
    return statistics.median(ratios)
