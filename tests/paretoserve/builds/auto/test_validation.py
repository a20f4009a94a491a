from collections.abc import Callable, Sequence
from typing import Any

import pytest

from handlers.tasks.base import Score
from handlers.tasks.text_classification import TextClassification
from loadtest.statistics.accuracy import paired_difference
from model_store.rows import Row
from paretoserve.builds.auto.deciding import Drop
from paretoserve.builds.auto.record import Scored
from paretoserve.builds.auto.validation import TURNS, drop_of, gain_of, scored

ROWS = [Row(f"text {i}", None, i % 2) for i in range(4)]


class Correlation(TextClassification):
    """Counts right answers and scores something else."""

    def score(self, answers: Sequence[Any], rows: Sequence[Row]) -> Score:
        return Score(0.25, 3)


def answer(label: str) -> dict[str, Any]:
    return {"label": label, "score": 0.9}


def test_which_rows_are_wrong_is_kept_with_the_score() -> None:
    task = TextClassification(("bad", "good"))
    answers = [answer(label) for label in ("bad", "bad", "bad", "good")]
    assert scored(task, answers, ROWS) == Scored(value=0.75, wrong=[1])


def test_a_metric_that_is_no_share_of_right_answers_has_no_wrong_rows() -> None:
    assert scored(Correlation(("bad", "good")), [answer("bad")] * 4, ROWS) == Scored(value=0.25)


def test_a_loss_is_in_points_and_its_interval_is_of_the_same_rows() -> None:
    dense, ours = Scored(value=0.97, wrong=[0, 1, 2]), Scored(value=0.95, wrong=[1, 2, 3, 4, 5])
    drop = drop_of(dense, ours, 100)
    right = [[place not in one.wrong for place in range(100)] for one in (dense, ours) if one.wrong]
    low, high = paired_difference(*right).interval
    assert drop == Drop(2.0, (round(100 * low, 2), round(100 * high, 2)))
    assert drop.interval is not None
    assert drop.interval[0] < 2.0 < drop.interval[1], "what is lost is positive"


def test_without_wrong_rows_there_is_no_interval() -> None:
    assert drop_of(Scored(value=0.5), Scored(value=0.55), 100) == Drop(-5.0)


def test_a_gain_is_measured_in_turns_and_the_middle_ratio_counts() -> None:
    order: list[str] = []

    def speeds(name: str, *found: float) -> Callable[[], float]:
        left = iter(found)

        def measure() -> float:
            order.append(name)
            return next(left)

        return measure

    # The machine slows down to a tenth on the way, and one window went wrong.
    gain = gain_of(speeds("ours", 300, 300, 9, 30, 31), speeds("dense", 100, 100, 100, 10, 10))
    assert gain == pytest.approx(3.0)
    assert order == ["dense", "ours"] * TURNS
