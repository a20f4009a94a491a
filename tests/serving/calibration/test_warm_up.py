"""What a worker runs before its first request: all shapes that a call can have, where the engine wants that."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from handlers.handler import Handler
from handlers.tasks.base import Floats
from handlers.tokens.packing import Tokens, row_width
from handlers.tokens.padding import Grid
from model_store.manifest import Manifest, Technique
from serving.batching.batcher import next_padded_batch
from serving.batching.padded_cost import PaddedCost
from serving.calibration.warm_up import warm_up
from tests.serving.batching.test_padded_batches import WaitingText

BATCH_TOKENS = 256


class Words:
    """A model that tokenizes, and no more."""

    def tokenizer(self, text: str) -> Tokens:
        return Tokens(np.arange(7), np.zeros(7, np.int64))


@dataclass
class ShapesHandler(Handler):
    """An engine that keeps the shapes that it was given: (rows, width, texts)."""

    manifest: Manifest = Manifest(
        model="m", variant="v", technique=Technique(recipe="toy"), task_settings={"labels": ["a"]}, max_tokens=100
    )
    model: Any = field(default_factory=Words)
    padded: Grid | None = None
    step: int = 1
    shapes: set[tuple[int, int, int]] = field(default_factory=set)
    longest_text: int = 0

    @property
    def grid(self) -> Grid | None:
        return self.padded

    @property
    def width_step(self) -> int:
        return self.step

    def infer(self, rows: Sequence[Sequence[Tokens]]) -> list[Floats]:
        texts, longest = sum(map(len, rows)), max(sum(map(len, row)) for row in rows)
        self.longest_text = max(self.longest_text, *(len(text) for row in rows for text in row))
        if self.padded:
            rows_of_call, width = self.padded.shape(texts, longest)
            self.shapes.add((rows_of_call, width, rows_of_call))
        else:
            self.shapes.add((len(rows), row_width(longest, self.step), texts))
        return list(np.zeros((texts, 1), np.float32))


@pytest.mark.parametrize(
    "grid",
    [
        Grid(width_step=8, doubling=True, widest=100),
        Grid(width_step=16, doubling=True, widest=64),
        Grid(rows=4, width_step=8, doubling=True, widest=100),
        Grid(width=100, width_step=8, doubling=True),
        Grid(rows=2, width=100, width_step=8, doubling=True),
    ],
)
def test_no_batch_of_an_engine_with_a_step_has_a_shape_that_it_did_not_meet(grid: Grid) -> None:
    handler = ShapesHandler(padded=grid)
    cost = PaddedCost(grid, warm_up(handler, BATCH_TOKENS, streams=1))
    chance = random.Random(2)
    longest = min(grid.width or 100, grid.widest or 100)
    for _ in range(500):
        queue = [WaitingText("", chance.randint(1, longest)) for _ in range(chance.randint(1, 30))]
        batch = next_padded_batch(queue, BATCH_TOKENS, 0.0, cost).batch
        rows, width = grid.shape(len(batch), max(text.tokens for text in batch))
        assert (rows, width, rows) in handler.shapes


def test_a_packed_engine_with_a_step_meets_each_width_and_each_power_of_two_of_texts() -> None:
    handler = ShapesHandler(step=16)
    warm_up(handler, BATCH_TOKENS, streams=1)
    assert {(1, width) for width in range(16, 257, 16)} == {(rows, width) for rows, width, _ in handler.shapes}
    assert {1, 2, 4, 8, 16, 32, 64} <= {texts for _, _, texts in handler.shapes}


@pytest.mark.parametrize("grid", [Grid(), Grid(rows=8), Grid(width=100), Grid(rows=8, width=100)])
def test_padded_calls_are_measured_from_a_short_text_to_the_longest_and_to_a_full_call(grid: Grid) -> None:
    handler = ShapesHandler(padded=grid)
    cost = warm_up(handler, BATCH_TOKENS, streams=1)
    widths, rows = {width for _, width, _ in handler.shapes}, {rows for rows, _, _ in handler.shapes}
    assert widths == ({100} if grid.width else {8, 32, 100})
    assert rows == ({8} if grid.rows else {1, 2} if grid.width else {1, 2, 4, 8, 16, 32})
    assert cost.seconds(100) > 0


@pytest.mark.parametrize("step", [1, 16, 64])
@pytest.mark.parametrize("max_tokens", [20, 64, 500])
def test_no_text_is_longer_than_those_that_the_model_reads(step: int, max_tokens: int) -> None:
    manifest = Manifest(
        model="m",
        variant="v",
        technique=Technique(recipe="toy"),
        task_settings={"labels": ["a"]},
        max_tokens=max_tokens,
    )
    handler = ShapesHandler(manifest=manifest, step=step)
    warm_up(handler, BATCH_TOKENS, streams=1)
    assert handler.longest_text <= max_tokens
