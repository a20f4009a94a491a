import struct
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from handlers.own_tensors import OwnTensors, declared_tensors
from model_store.errors import BackendError, BadInput

IDS: dict[str, Any] = {"name": "ids", "datatype": "INT64", "shape": [-1, -1]}
NAMES: dict[str, Any] = {"name": "names", "datatype": "BYTES", "shape": [2], "parameters": {"optional": True}}
LOGITS: dict[str, Any] = {"name": "logits", "datatype": "FP32", "shape": [-1, 2]}
WORDS: dict[str, Any] = {"name": "words", "datatype": "BYTES", "shape": [-1]}


def module(**names: Any) -> ModuleType:
    made = ModuleType("inference")
    vars(made).update(names)
    return made


def declared(inputs: Any, outputs: Any) -> OwnTensors:
    return declared_tensors(module(V2_INPUTS=inputs, V2_OUTPUTS=outputs))


OWN = declared([IDS, NAMES], [LOGITS, WORDS])


def sent(tensor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {key: tensor[key] for key in ("name", "datatype")} | fields


def body(*inputs: dict[str, Any], **fields: Any) -> bytes:
    return msgspec.json.encode({"inputs": inputs, **fields})


def test_what_is_declared_is_what_is_told() -> None:
    assert OWN.described() == {"inputs": [IDS, NAMES], "outputs": [LOGITS, WORDS]}
    assert declared_tensors(module()).described() == {"inputs": [], "outputs": []}


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ([IDS], None, "declare both"),
        (None, [IDS], "declare both"),
        ("ids", [LOGITS], "V2_INPUTS of the variant's own code cannot be read"),
        ([{"name": "ids"}], [LOGITS], "cannot be read.*datatype"),
        ([IDS | {"shape": "any"}], [LOGITS], "cannot be read"),
        ([IDS | {"shape": [-2]}], [LOGITS], "in a shape that is none"),
        ([IDS], [LOGITS, LOGITS], "V2_OUTPUTS has 'logits' twice"),
        ([IDS | {"datatype": "BF16"}], [LOGITS], "'ids' of 'BF16'; known are BOOL"),
    ],
)
def test_what_is_no_declaration_is_told_when_the_code_is_loaded(inputs: Any, outputs: Any, words: str) -> None:
    with pytest.raises(BackendError, match=words):
        declared(inputs, outputs)


DATATYPES: dict[str, list[Any]] = {
    "BOOL": [True, False],
    "UINT8": [0, 255],
    "UINT16": [0, 2**16 - 1],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1],
    "INT8": [-128, 127],
    "INT16": [-(2**15), 2**15 - 1],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**63 - 1],
    "FP16": [-0.5, 2.0],
    "FP32": [-0.5, 1e30],
    "FP64": [-0.5, 1e300],
    "BYTES": ["ein", "schöner"],
}


@pytest.mark.parametrize("datatype", DATATYPES)
def test_each_datatype_goes_both_ways_as_json_and_in_binary_form(datatype: str) -> None:
    values, one = DATATYPES[datatype], {"name": "x", "datatype": datatype, "shape": [-1, 1]}
    own = declared([one], [one])
    plain = own.read(body(sent(one, shape=[2, 1], data=values)), None)
    assert plain.arrays["x"].shape == (2, 1)
    asked = own.read(body(sent(one, shape=[2, 1], data=values), parameters={"binary_data_output": True}), None)
    answer, kind, length = own.write(asked, plain.arrays, "own")
    assert kind == "application/octet-stream"
    assert length is not None
    raw = answer[length:]
    head = body(sent(one, shape=[2, 1], parameters={"binary_data_size": len(raw)}))
    back = own.read(head + raw, len(head))
    expected = pytest.approx(values, rel=1e-6) if "FP" in datatype else values
    assert back.arrays["x"].ravel().tolist() == expected
    told, _, _ = own.write(plain, back.arrays, "own")
    (output,) = msgspec.json.decode(told)["outputs"]
    assert (output["datatype"], output["shape"]) == (datatype, [2, 1])
    assert output["data"] == expected


def test_arrays_are_of_the_shape_and_the_datatype_that_were_sent() -> None:
    names = sent(NAMES, shape=[2], data=["one", "two"])
    asked = OWN.read(body(sent(IDS, shape=[2, 3], data=[[1, 2, 3], [4, 5, 6]]), names), None)
    ids = asked.arrays["ids"]
    assert ids.shape == (2, 3)
    assert ids.dtype == np.int64
    assert ids[1, 2] == 6
    assert asked.arrays["names"].tolist() == ["one", "two"]
    empty = OWN.read(body(sent(IDS, shape=[0, 7], data=[])), None)
    assert empty.arrays["ids"].shape == (0, 7)
    assert OWN.read(body(sent(IDS, shape=[1, 1], data=[[1]])), None).arrays.keys() == {"ids"}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "Send each of the inputs once: ids"),
        ([sent(NAMES, shape=[2], data=["a", "b"])], "Send each of the inputs once: ids"),
        ([sent(IDS, shape=[1, 1], data=[1])] * 2, "Send each of the inputs once"),
        ([sent(IDS, shape=[1, 1], data=[1], name="other")], "Send each of the inputs once"),
        ([sent(IDS, shape=[1], data=[1])], "is INT64 of shape .1.; send INT64 of shape .-1, -1."),
        ([sent(IDS, shape=[1, 1], data=[1], datatype="INT8")], "is INT8 of shape"),
        ([sent(IDS, shape=[1, 1])], "no tensor of INT64"),
        ([sent(IDS, shape=[1, 2], data=[1])], "no tensor of INT64 in the shape .1, 2."),
        ([sent(IDS, shape=[1, 2], data=["x" * 100_000, 1])], "no tensor of INT64.*Expected `int`"),
        ([sent(IDS, shape=[1, 2], data=[[[1]], [[2]]])], "no tensor of INT64.*Expected `int`"),
        ([sent(IDS, shape=[1, 1], data=[2**63])], "no tensor of INT64"),
        ([sent(IDS, shape=[0, 2**31 - 1], data=[])] * 2, "Send each of the inputs once"),
        ([sent(IDS, shape=[1, 1], data=[1]), sent(NAMES, shape=[3], data=["a"] * 3)], "is BYTES of shape .3."),
        ([sent(IDS, shape=[1, 1], data=[1]), sent(NAMES, shape=[2], data=["a"])], "has 1 texts"),
        ([sent(IDS, shape=[1, 1], data=[1]), sent(NAMES, shape=[2], data=["a", 1])], "holds a number; send texts"),
    ],
)
def test_tensors_that_are_not_declared_so_are_refused(inputs: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        OWN.read(body(*inputs), None)


@pytest.mark.parametrize("size", [0, 7, 9, 24])
def test_binary_data_of_another_size_is_refused(size: int) -> None:
    head = body(sent(IDS, shape=[1, 2], parameters={"binary_data_size": size}))
    with pytest.raises(BadInput, match="no tensor of INT64"):
        OWN.read(head + bytes(size), len(head))


def test_binary_arrays_are_the_models_own_and_any_byte_is_a_truth_value() -> None:
    mask = {"name": "mask", "datatype": "BOOL", "shape": [-1]}
    own = declared([IDS, mask], [LOGITS])
    ids, bits = np.arange(2, dtype="<i8").tobytes(), b"\x00\x01\x02"
    inputs = [sent(IDS, shape=[1, 2], parameters={"binary_data_size": len(ids)})]
    head = body(*inputs, sent(mask, shape=[3], parameters={"binary_data_size": len(bits)}))
    arrays = own.read(head + ids + bits, len(head)).arrays
    arrays["ids"][0, 0] = 7
    assert arrays["ids"].tolist() == [[7, 1]]
    assert arrays["mask"].astype(int).tolist() == [0, 1, 1]


def test_a_shape_beyond_all_memory_is_refused_and_not_made() -> None:
    deep = declared([IDS | {"shape": [-1] * 8}], [LOGITS])
    for sizes in ([2**31 - 1] * 8, [0] + [2**31 - 1] * 7):
        with pytest.raises(BadInput, match="no tensor of INT64"):
            deep.read(body(sent(IDS, shape=sizes, data=[])), None)


def asked(own: OwnTensors = OWN, **fields: Any) -> Any:
    return own.read(body(sent(IDS, shape=[1, 1], data=[1]), **fields), None)


@pytest.mark.parametrize(
    "logits",
    [
        [[1, 2]],
        np.array([[1.0, 2.0]]),
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([[1.0, 2.0]], requires_grad=True),
        torch.tensor([[1.0, 2.0]], dtype=torch.float16),
    ],
    ids=["lists", "array", "tensor", "tensor of a graph", "half precision"],
)
def test_whatever_is_an_array_is_answered(logits: Any) -> None:
    answer, kind, length = OWN.write(asked(), {"logits": logits, "words": ["one"], "more": object()}, "own")
    assert (kind, length) == ("application/json", None)
    assert msgspec.json.decode(answer)["outputs"] == [
        {"name": "logits", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]},
        {"name": "words", "datatype": "BYTES", "shape": [1], "data": ["one"]},
    ]


def test_of_one_output_the_array_alone_will_do_and_only_wanted_outputs_come() -> None:
    alone = declared([IDS], [LOGITS])
    answer, _, _ = alone.write(asked(alone), [[1, 2]], "own")
    assert msgspec.json.decode(answer)["outputs"][0]["data"] == [1.0, 2.0]
    wanted = asked(outputs=[{"name": "words"}], id="7")
    answer, _, _ = OWN.write(wanted, {"logits": [[1, 2]], "words": ["one"]}, "own")
    told = msgspec.json.decode(answer)
    assert (told["id"], [one["name"] for one in told["outputs"]]) == ("7", ["words"])
    with pytest.raises(BadInput, match="There is no output 'probs'; outputs are logits, words"):
        asked(outputs=[{"name": "probs"}])


@pytest.mark.parametrize(
    ("prediction", "words"),
    [
        ([[1, 2]], "returned no dict; V2_OUTPUTS declares logits, words"),
        ({"logits": [[1, 2]]}, "returned no 'words'"),
        ({"logits": [1, 2], "words": ["one"]}, r"'logits' has the shape \[2\]; V2_OUTPUTS declares \[-1, 2\]"),
        ({"logits": [["a", "b"]], "words": ["one"]}, "'logits' is no FP32"),
        ({"logits": [[1], [1, 2]], "words": ["one"]}, "'logits' is no FP32"),
        ({"logits": object(), "words": ["one"]}, "'logits' is no FP32"),
        ({"logits": [[1, 2]], "words": [1]}, "'words' holds what is no text"),
    ],
)
def test_a_model_that_answers_otherwise_is_told_so(prediction: Any, words: str) -> None:
    with pytest.raises(BackendError, match=words):
        OWN.write(asked(), prediction, "own")


def test_the_timeout_is_the_clients() -> None:
    assert asked(parameters={"timeout": 2_500_000}).timeout_s == 2.5


def test_texts_in_binary_form_are_texts() -> None:
    raw = struct.pack("<I", 3) + b"one" + struct.pack("<I", 0)
    named = sent(NAMES, shape=[2], parameters={"binary_data_size": len(raw)})
    head = body(sent(IDS, shape=[1, 1], data=[1]), named)
    assert OWN.read(head + raw, len(head)).arrays["names"].tolist() == ["one", ""]
