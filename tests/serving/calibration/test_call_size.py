"""How large calls are made, on engines that take as long as they are told, in time that passes as they work."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from handlers.tasks.base import Floats
from handlers.tokens.packing import Tokens
from handlers.tokens.padding import Grid
from model_store.manifest import Manifest, Technique
from serving import tuning
from serving.calibration import rounds
from serving.calibration.call_size import fastest_call_tokens
from serving.calibration.texts import mixed_call, typical_lengths
from serving.wire.cost import Cost
from tests.serving.calibration.test_warm_up import ShapesHandler
from tests.serving.worker.test_loading import Clock

LINEAR = Cost(0.0, 1e-4)
LENGTHS = tuning.TYPICAL_LENGTHS


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
    monkeypatch.setattr(rounds, "time", made)
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
    assert fastest_call_tokens(TimedHandler(clock=clock, seconds=seconds), LINEAR, most, LENGTHS) == best


def test_no_call_is_larger_than_the_operator_allows(clock: Clock) -> None:
    handler = TimedHandler(clock=clock)
    assert fastest_call_tokens(handler, LINEAR, 50, LENGTHS) == 50
    assert max(handler.calls) <= 50


def test_a_slow_model_is_measured_in_few_rounds_and_a_fast_one_in_more(clock: Clock) -> None:
    slow = TimedHandler(clock=clock, seconds=lambda tokens: 10.0)
    fast = TimedHandler(clock=clock, seconds=lambda tokens: 1e-6)
    for handler in (slow, fast):
        fastest_call_tokens(handler, LINEAR, 256, LENGTHS)
    sizes = sum(size < 256 for size in tuning.SIZES) + 1
    assert (len(slow.calls), len(fast.calls)) == tuple(number * sizes for number in tuning.SIZE_ROUNDS)


def test_a_mixed_call_is_filled_with_texts_of_all_lengths() -> None:
    for first in range(2 * len(LENGTHS)):
        lengths = [len(text) for row in mixed_call(TimedHandler(), LINEAR, 512, LENGTHS, first) for text in row]
        assert set(lengths) >= set(LENGTHS)
        assert 512 - min(LENGTHS) < sum(lengths) <= 512


def test_a_mixed_call_of_a_padded_artifact_has_a_row_for_each_text_and_none_over_the_models_longest() -> None:
    rows = mixed_call(TimedHandler(padded=Grid(width_step=8, doubling=True, widest=100)), LINEAR, 128, LENGTHS)
    assert {len(row) for row in rows} == {1}
    (row,) = mixed_call(TimedHandler(), LINEAR, 5, LENGTHS)
    assert [len(text) for text in row] == [5]


def manifest_with(lengths: list[int]) -> Manifest:
    technique = Technique(recipe="toy")
    return Manifest(
        model="m", variant="v", technique=technique, task_settings={"labels": []}, max_tokens=64, token_lengths=lengths
    )


def test_calls_are_measured_with_lengths_of_the_variants_own_data_short_and_long_mixed() -> None:
    own = list(range(3, 60))
    lengths = typical_lengths(manifest_with(own))
    assert sorted(lengths) == own
    first_call = [len(text) for row in mixed_call(TimedHandler(), LINEAR, 256, lengths) for text in row]
    assert max(first_call) > 40
    assert lengths == typical_lengths(manifest_with(own)), "each start measures with the same texts"


def test_where_the_manifest_states_no_lengths_those_of_sentences_are_taken_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "paretoserve.worker"):
        assert typical_lengths(manifest_with([])) == tuning.TYPICAL_LENGTHS
    assert "states no lengths of texts" in caplog.text


def test_the_longest_texts_of_the_data_are_cut_at_what_a_call_holds() -> None:
    (row,) = mixed_call(TimedHandler(), LINEAR, 64, (500,))
    assert [len(text) for text in row] == [64]
