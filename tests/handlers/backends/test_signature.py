import numpy as np
import pytest

from handlers.backends.signature import Port, Signature, read_signature
from handlers.tokens.padding import Grid
from model_store.errors import BackendError

LOGITS = Port("logits", "float", (None, 2))
ANY = (None, None)


def padded(*inputs: Port, outputs: tuple[Port, ...] = (LOGITS,)) -> Signature:
    return read_signature("model.onnx", "padded", inputs, outputs)


def ports(*names: str, dtype: str = "int64", shape: tuple[int | None, ...] = ANY) -> list[Port]:
    return [Port(name, dtype, shape) for name in names]


def test_a_graph_is_fed_what_it_takes_in_its_own_types() -> None:
    arrays = {name: np.ones((1, 2), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    whole = padded(*ports("input_ids", "attention_mask", "token_type_ids", dtype="int32")).feeds(arrays)
    assert {name: array.dtype for name, array in whole.items()} == dict.fromkeys(arrays, np.dtype(np.int32))
    without_types = padded(*ports("input_ids", "attention_mask")).feeds(arrays)
    assert without_types.keys() == {"input_ids", "attention_mask"}
    assert without_types["input_ids"] is arrays["input_ids"], "copied for nothing"


def test_what_the_graph_fixes_of_its_shape_is_in_the_grid() -> None:
    for shape in (ANY, (4, None), (None, 32), (4, 32)):
        signature = padded(*ports("input_ids", "attention_mask", shape=shape))
        assert signature.grid(8, doubling=True) == Grid(shape[0], shape[1], 8, doubling=True)


def test_a_packed_graph_has_no_grid() -> None:
    names = ("input_ids", "position_ids", "token_type_ids", "segment_ids")
    inputs = [*ports(*names), Port("cls_index", "int64", (None,))]
    assert read_signature("model.onnx", "packed", inputs, [LOGITS]).grid() is None


@pytest.mark.parametrize(
    ("outputs", "index"),
    [
        (("logits",), 0),
        (("output_0",), 0),
        (("probabilities", "logits"), 1),
        (("scores", "hidden"), 0),
    ],
)
def test_the_logits_are_the_output_of_that_name_or_the_first(outputs: tuple[str, ...], index: int) -> None:
    given = tuple(Port(name, "float", ANY) for name in outputs)
    assert padded(*ports("input_ids", "attention_mask"), outputs=given).output == index


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (ports("input_ids"), r"takes input_ids \(\?, \?\); a padded classifier takes input_ids, attention_mask, opt"),
        (ports("ids", "mask"), r"takes ids \(\?, \?\), mask \(\?, \?\); a padded .* optionally token_type_ids"),
        (ports("input_ids", "attention_mask", "pixels"), r"takes .*, pixels \(\?, \?\); a padded classifier takes"),
        ([], "takes nothing; a padded classifier takes"),
        (ports("input_ids", "attention_mask", dtype="float"), "takes input_ids as float; accepted are int64 and int32"),
        (ports("input_ids", "attention_mask", shape=(1, 2, 3)), r"takes input_ids \(1, 2, 3\); accepted is the shape"),
    ],
)
def test_other_inputs_are_refused_with_what_was_found_and_what_is_accepted(inputs: list[Port], told: str) -> None:
    with pytest.raises(BackendError, match=rf"'model\.onnx' {told}"):
        padded(*inputs)


def test_a_graph_without_a_classification_head_is_told_so() -> None:
    hidden = Port("last_hidden_state", "float", (None, None, 384))
    with pytest.raises(BackendError, match=r"gives last_hidden_state \(\?, \?, 384\).* classification head"):
        padded(*ports("input_ids", "attention_mask"), outputs=(hidden,))


def test_an_output_of_unknown_shape_is_for_the_first_call_to_judge() -> None:
    assert padded(*ports("input_ids", "attention_mask"), outputs=(Port("logits", "float", ()),)).output == 0
