"""How large calls are made, on engines that take as long as they are told, in time that passes as they work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from handlers.tasks.base import Floats
from handlers.tokens.packing import Tokens
from handlers.tokens.padding import Grid
from serving.calibration import call_size
from serving.calibration.call_size import LENGTHS, SIZES, fastest_call_tokens, mixed_call
from serving.wire.cost import Cost
from tests.serving.calibration.test_warm_up import ShapesHandler
from tests.serving.worker.test_loading import Clock

LINEAR = Cost(0.0, 1e-4)


@dataclass
class TimedHandler(ShapesHandler):
    """A call of so many tokens takes so many seconds of the clock."""

    clock: Any = field(default_factory=Clock)
    seconds: Callable[[int], float] = lambda tokens: tokens * 1e-4
    calls: list[int] = field(default_factory=list)

    def infer(self, rows: Sequence[Sequence[Tokens]]) -> list[Floats]:
        texts = [text for row in rows for text in row]
        self.calls.append(sum(map(len, texts)))
        self.clock.advance(self.seconds(self.calls[-1]))
        return list(np.zeros((len(texts), 1), np.float32))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(call_size, "time", made)
    return made


@pytest.mark.parametrize(
    ("seconds", "most", "best"),
    [
        (lambda tokens: 0.1, 256, 256),
        (lambda tokens: 0.1, 1000, 1000),
        (lambda tokens: tokens**2 * 1e-6, 256, 64),
        # base / n + square * n is least where n is the root of base / square.
        (lambda tokens: 128**2 * 1e-6 + tokens * 1e-5 + tokens**2 * 1e-6, 256, 128),
        # Nothing but the costs around calls makes small ones slower, and those are within a few percent soon.
        (lambda tokens: tokens * 1e-4, 256, 64),
        (lambda tokens: tokens * 1e-6, 256, 256),
    ],
)
def test_a_call_is_as_large_as_is_fastest_per_token(
    clock: Clock, seconds: Callable[[int], float], most: int, best: int
) -> None:
    assert fastest_call_tokens(TimedHandler(clock=clock, seconds=seconds), LINEAR, most) == best


def test_no_call_is_larger_than_the_operator_allows(clock: Clock) -> None:
    handler = TimedHandler(clock=clock)
    assert fastest_call_tokens(handler, LINEAR, 50) == 50
    assert max(handler.calls) <= 50


def test_a_slow_model_is_measured_in_few_rounds_and_a_fast_one_in_more(clock: Clock) -> None:
    slow = TimedHandler(clock=clock, seconds=lambda tokens: 10.0)
    fast = TimedHandler(clock=clock, seconds=lambda tokens: 1e-6)
    for handler in (slow, fast):
        fastest_call_tokens(handler, LINEAR, 256)
    sizes = sum(size < 256 for size in SIZES) + 1
    assert (len(slow.calls), len(fast.calls)) == tuple(rounds * sizes for rounds in call_size.ROUNDS)


def test_a_mixed_call_is_filled_with_texts_of_all_lengths() -> None:
    for variant in range(len(LENGTHS)):
        lengths = [len(text) for row in mixed_call(TimedHandler(), LINEAR, 512, variant) for text in row]
        assert set(lengths) >= set(LENGTHS)
        assert 512 - min(LENGTHS) < sum(lengths) <= 512


def test_a_mixed_call_of_a_padded_artifact_has_a_row_for_each_text_and_none_over_the_models_longest() -> None:
    rows = mixed_call(TimedHandler(padded=Grid(width_step=8, doubling=True, widest=100)), LINEAR, 128)
    assert {len(row) for row in rows} == {1}
    (row,) = mixed_call(TimedHandler(), LINEAR, 5)
    assert [len(text) for text in row] == [5]
