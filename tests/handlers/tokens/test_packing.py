from collections.abc import Sequence

import numpy as np
import pytest

from handlers.tokens.packing import PackedBatch, Tokens, pack, padding_tokens


def tokens(ids: Sequence[int], first_sentence: int | None = None) -> Tokens:
    """Tokens with these ids; those from place `first_sentence` on belong to the second sentence of a pair."""
    types = np.arange(len(ids)) >= (len(ids) if first_sentence is None else first_sentence)
    return Tokens(np.array(ids, np.int64), types.astype(np.int64))


def as_lists(batch: PackedBatch) -> dict[str, object]:
    return {name: array.tolist() for name, array in batch.inputs().items()}


def test_one_text_is_a_row_of_its_own() -> None:
    assert as_lists(pack([[tokens([2, 7, 3])]])) == {
        "input_ids": [[2, 7, 3]],
        "position_ids": [[0, 1, 2]],
        "token_type_ids": [[0, 0, 0]],
        "segment_ids": [[1, 1, 1]],
        "cls_index": [0],
    }


def test_texts_of_a_row_lie_end_to_end_and_each_starts_at_position_zero() -> None:
    assert as_lists(pack([[tokens([2, 7, 3]), tokens([2, 8, 3, 9, 3], 3), tokens([2, 3])]])) == {
        "input_ids": [[2, 7, 3, 2, 8, 3, 9, 3, 2, 3]],
        "position_ids": [[0, 1, 2, 0, 1, 2, 3, 4, 0, 1]],
        "token_type_ids": [[0, 0, 0, 0, 0, 0, 1, 1, 0, 0]],
        "segment_ids": [[1, 1, 1, 2, 2, 2, 2, 2, 3, 3]],
        "cls_index": [0, 3, 8],
    }


def test_shorter_rows_are_padded_at_their_end_with_segment_zero() -> None:
    rows = [[tokens([2, 7, 3])], [tokens([2, 8, 3]), tokens([2, 9, 3], 1)], [tokens([2, 3])]]
    assert as_lists(pack(rows)) == {
        "input_ids": [[2, 7, 3, 0, 0, 0], [2, 8, 3, 2, 9, 3], [2, 3, 0, 0, 0, 0]],
        "position_ids": [[0, 1, 2, 0, 0, 0], [0, 1, 2, 0, 1, 2], [0, 1, 0, 0, 0, 0]],
        "token_type_ids": [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]],
        "segment_ids": [[1, 1, 1, 0, 0, 0], [1, 1, 1, 2, 2, 2], [1, 1, 0, 0, 0, 0]],
        "cls_index": [0, 6, 9, 12],
    }


@pytest.mark.parametrize("lengths", [[[3]], [[3, 4]], [[3], [2, 5]], [[1], [9], [4, 4]]])
def test_padding_is_counted_as_it_is_packed(lengths: list[list[int]]) -> None:
    rows = [[tokens(range(n)) for n in row] for row in lengths]
    assert padding_tokens(rows) == np.count_nonzero(pack(rows).segment_ids == 0)


def test_engines_get_contiguous_64_bit_integers() -> None:
    for rows in ([[tokens([2, 3])]], [[tokens([2, 3])], [tokens([2, 7, 3])]]):
        for array in pack(rows).inputs().values():
            assert array.dtype == np.int64
            assert array.flags.c_contiguous


def test_rows_come_in_multiples_of_the_width_step_and_what_is_added_is_padding() -> None:
    row = [tokens([2, 7, 7, 7, 3]), tokens([2, 8, 8, 8, 8, 3])]
    packed = pack([row], width_step=8)
    assert packed.input_ids.shape == (1, 16)
    assert np.count_nonzero(packed.segment_ids == 0) == padding_tokens([row], width_step=8) == 5
    assert pack([row], width_step=11).input_ids.shape == (1, 11)
