import random

import pytest

from serving.batching.arrange import arrange
from serving.wire.cost import Cost

LINEAR = Cost(0.0, 1.0, 0.0)
QUADRATIC = Cost(0.0, 0.0, 1.0)


def test_where_attention_costs_nothing_all_texts_go_into_one_row_without_padding() -> None:
    (row,) = arrange([10, 25, 7], LINEAR)
    assert sorted(row) == [0, 1, 2]


def test_where_attention_is_all_that_costs_each_long_text_has_a_row_and_short_ones_share() -> None:
    assert sorted(map(sorted, arrange([20, 10, 10, 20], QUADRATIC))) == [[0], [1, 2], [3]]


def test_a_call_that_costs_the_same_whatever_is_in_it_makes_no_difference_to_the_rows_kept() -> None:
    assert arrange([5], Cost(1.0, 0.0, 0.0)) == [[0]]


@pytest.mark.parametrize("seed", range(20))
def test_every_text_is_in_exactly_one_row_whatever_the_cost(seed: int) -> None:
    rng = random.Random(seed)
    lengths = [rng.randint(1, 128) for _ in range(rng.randint(1, 40))]
    rows = arrange(lengths, Cost(rng.random(), rng.random(), rng.random()))
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))


@pytest.mark.parametrize("seed", range(20))
def test_the_layout_is_never_dearer_than_one_row_or_a_row_each(seed: int) -> None:
    rng = random.Random(seed)
    lengths = [rng.randint(2, 128) for _ in range(rng.randint(1, 40))]
    cost = Cost(0.0, 1.0, rng.random() / 50)
    rows = arrange(lengths, cost)
    width = max(sum(lengths[i] for i in row) for row in rows)
    one_row, a_row_each = cost.rows_seconds(1, sum(lengths)), cost.rows_seconds(len(lengths), max(lengths))
    assert cost.rows_seconds(len(rows), width) <= min(one_row, a_row_each)
