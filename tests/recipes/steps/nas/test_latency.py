from dataclasses import dataclass, field
from pathlib import Path

import pytest

from networks.encoder.shape import EncoderShape
from recipes.steps.nas.latency import measured_table
from recipes.work.progress import silent
from tests.tiny import tiny_shape

WHOLE = tiny_shape(heads=(12,) * 6, units=(1536,) * 6)


@dataclass
class Engine:
    """Takes a time for all, and for each layer's heads and units; breaks off after some measurements."""

    left: int = 99
    asked: list[EncoderShape] = field(default_factory=list)

    def __call__(self, shape: EncoderShape) -> float:
        if not self.left:
            raise InterruptedError
        self.left -= 1
        self.asked.append(shape)
        return true_s(shape)


def true_s(shape: EncoderShape) -> float:
    return 0.003 + sum(
        1e-4 + 2e-5 * heads + 3e-7 * units + 1e-9 * heads * units
        for heads, units in zip(shape.heads, shape.units, strict=True)
    )


@pytest.mark.parametrize(
    ("heads", "units"),
    [((12,) * 6, (1536,) * 6), ((1, 12, 3, 7), (64, 1536, 640, 1024)), ((5,), (704,)), ((1, 1), (64, 64))],
)
def test_the_table_foretells_what_an_engine_takes_whose_layers_add_up(
    tmp_path: Path, heads: tuple[int, ...], units: tuple[int, ...]
) -> None:
    table = measured_table(WHOLE, Engine(), tmp_path / "latencies.json", silent)
    shape = tiny_shape(heads=heads, units=units)
    assert table.seconds(shape) == pytest.approx(true_s(shape))


def test_layers_add_up(tmp_path: Path) -> None:
    table = measured_table(WHOLE, Engine(), tmp_path / "latencies.json", silent)
    one, other = tiny_shape(heads=(4,), units=(320,)), tiny_shape(heads=(9,), units=(1000,))
    both = tiny_shape(heads=(4, 9), units=(320, 1000))
    assert table.seconds(both) + table.base_s == pytest.approx(table.seconds(one) + table.seconds(other))


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    file, first, second, third = tmp_path / "latencies.json", Engine(left=4), Engine(), Engine()
    with pytest.raises(InterruptedError):
        measured_table(WHOLE, first, file, silent)
    table = measured_table(WHOLE, second, file, silent)
    assert len(first.asked) == 4
    assert len(first.asked + second.asked) == len(set(first.asked + second.asked)) == 10
    assert measured_table(WHOLE, third, file, silent) == table
    assert not third.asked


def test_an_encoder_of_one_layer_has_a_table_too(tmp_path: Path) -> None:
    table = measured_table(tiny_shape(heads=(2,), units=(64,)), Engine(), tmp_path / "latencies.json", silent)
    shape = tiny_shape(heads=(2,), units=(64,))
    assert table.seconds(shape) == pytest.approx(true_s(shape))
