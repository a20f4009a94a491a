from collections.abc import Sequence

import numpy as np
import pytest

from handlers.tokens.packing import Tokens
from handlers.tokens.padding import Grid, PaddedBatch, pad


def tokens(ids: Sequence[int], types: Sequence[int] | None = None) -> Tokens:
    return Tokens(np.array(ids, np.int64), np.array(types or [0] * len(ids), np.int64))


def as_lists(batch: PaddedBatch) -> dict[str, object]:
    return {name: array.tolist() for name, array in batch.inputs().items()}


def test_each_text_has_a_row_and_what_follows_its_end_is_masked() -> None:
    assert as_lists(pad([tokens([2, 7, 3]), tokens([2, 8, 3, 9, 3], [0, 0, 0, 1, 1])], (2, 6))) == {
        "input_ids": [[2, 7, 3, 0, 0, 0], [2, 8, 3, 9, 3, 0]],
        "attention_mask": [[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]],
        "token_type_ids": [[0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0]],
    }


def test_padding_is_the_token_that_the_model_knows_as_such() -> None:
    batch = pad([tokens([0, 7, 2])], (1, 5), pad_id=1)
    assert batch.input_ids.tolist() == [[0, 7, 2, 1, 1]]
    assert batch.token_type_ids.tolist() == [[0] * 5]


def test_no_row_is_without_a_token() -> None:
    batch = pad([tokens([2, 7, 3]), tokens([2, 3])], (4, 3))
    assert batch.attention_mask.any(axis=1).all()
    assert batch.input_ids.tolist() == [[2, 7, 3], [2, 3, 0], [2, 3, 0], [2, 3, 0]]


def test_engines_get_contiguous_64_bit_integers() -> None:
    for array in pad([tokens([2, 3]), tokens([2, 7, 3])], (2, 3)).inputs().values():
        assert array.dtype == np.int64
        assert array.flags.c_contiguous


@pytest.mark.parametrize(
    ("grid", "texts", "longest", "calls", "shape"),
    [
        (Grid(), 3, 5, 1, (3, 5)),
        (Grid(width_step=8), 3, 5, 1, (3, 8)),
        (Grid(width_step=8), 3, 8, 1, (3, 8)),
        (Grid(width_step=8), 3, 9, 1, (3, 16)),
        (Grid(width_step=8), 1, 128, 1, (1, 128)),
        (Grid(width_step=8), 1, 129, 1, (1, 144)),
        (Grid(width_step=8), 1, 257, 1, (1, 288)),
        (Grid(width_step=8, widest=500), 1, 490, 1, (1, 500)),
        (Grid(), 1, 301, 1, (1, 301)),
        (Grid(width_step=8, widest=12), 1, 9, 1, (1, 12)),
        (Grid(widest=12), 1, 9, 1, (1, 9)),
        (Grid(doubling=True), 1, 5, 1, (1, 5)),
        (Grid(doubling=True), 5, 5, 1, (8, 5)),
        (Grid(doubling=True), 8, 5, 1, (8, 5)),
        (Grid(width=32), 3, 5, 1, (3, 32)),
        (Grid(width=32, width_step=8, widest=20), 3, 20, 1, (3, 32)),
        (Grid(rows=4), 1, 5, 1, (4, 5)),
        (Grid(rows=4, doubling=True), 4, 5, 1, (4, 5)),
        (Grid(rows=4), 5, 5, 2, (4, 5)),
        (Grid(rows=4, width=32), 9, 5, 3, (4, 32)),
    ],
)
def test_texts_are_filled_up_to_the_next_shape_of_the_grid(
    grid: Grid, texts: int, longest: int, calls: int, shape: tuple[int, int]
) -> None:
    assert (grid.calls(texts), grid.shape(texts, longest)) == (calls, shape)
    assert grid.tokens(texts, longest) == calls * shape[0] * shape[1]
