from handlers.tokens.padding import Grid
from serving.batching.padded_cost import PaddedCost
from serving.wire.cost import Cost


def test_padded_texts_cost_what_the_shapes_cost_that_they_are_filled_up_to() -> None:
    cost = Cost(1.0, 2.0, 3.0, 4.0)
    in_steps = PaddedCost(Grid(width_step=8, doubling=True), cost)
    assert in_steps.seconds(3, 5) == cost.rows_seconds(4, 8)
    assert in_steps.tokens(3, 5) == 32
    fixed = PaddedCost(Grid(rows=2, width=16), cost)
    assert fixed.seconds(3, 5) == 2 * cost.rows_seconds(2, 16)
    assert fixed.tokens(3, 5) == 64
