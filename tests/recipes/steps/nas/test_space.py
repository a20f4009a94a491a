import random

import pytest

from networks.encoder.counts import encoder_parameters
from networks.encoder.prefix import LayerPrefix, shape_of
from recipes.steps.nas.space import Genes, Space
from tests.tiny import tiny_shape

SPACE = Space(tiny_shape(heads=(12,) * 6, units=(1536,) * 6), drop_order=(4, 2, 3, 1, 5, 0))


def test_layers_are_dropped_in_the_order_given_and_whole() -> None:
    genes = Genes(4, heads=(1, 2, 3, 4, 5, 6), steps=(1, 2, 3, 4, 5, 24))
    assert SPACE.subnetwork(genes) == (
        LayerPrefix(0, 1, 64),
        LayerPrefix(1, 2, 128),
        LayerPrefix(3, 4, 256),
        LayerPrefix(5, 6, 1536),
    )


def test_it_reaches_from_the_whole_to_a_third_of_the_layers_with_a_head_each() -> None:
    assert shape_of(SPACE.whole, SPACE.largest) == SPACE.whole
    assert SPACE.smallest == (LayerPrefix(0, 1, 64), LayerPrefix(5, 1, 64))


@pytest.mark.parametrize(
    ("units", "step", "steps"),
    [(1536, 64, 24), (3072, 128, 24), (3000, 128, 24), (640, 64, 10), (64, 2, 32), (5, 1, 5)],
)
def test_units_come_in_tiles_where_there_are_many(units: int, step: int, steps: int) -> None:
    space = Space(tiny_shape(heads=(2,), units=(units,)), drop_order=(0,))
    assert (space.step(0), space.steps(0)) == (step, steps)
    assert space.largest[0].units == units


def test_what_is_drawn_lies_in_the_space_and_about_in_its_range() -> None:
    dice = random.Random(1)

    def sizes(least: float, most: float) -> list[float]:
        drawn = [SPACE.drawn([dice.random() for _ in range(SPACE.numbers)], least, most) for _ in range(200)]
        assert all(2 <= len(one) <= 6 for one in drawn)
        assert all(1 <= layer.heads <= 12 and layer.units in range(64, 1537, 64) for one in drawn for layer in one)
        return sorted(encoder_parameters(shape_of(SPACE.whole, one)) for one in drawn)

    small, large = sizes(0.0, 0.5), sizes(0.5, 1.0)
    assert small[100] < large[30]
