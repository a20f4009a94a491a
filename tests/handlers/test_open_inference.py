import math
import struct
from typing import Any

import msgspec
import numpy as np
import pytest

from handlers.open_inference import V2Request, decode_infer, encode_infer, tensors_of
from handlers.tasks.payload import TextInput
from handlers.tasks.text_classification import TextClassification
from model_store.errors import BadInput, TooLarge

TASK = TextClassification(("positive", "naïve"))
PREDICTIONS = [{"label": "positive", "score": 0.75}, {"label": "naïve", "score": 0.5}]
LOGITS = np.array([[-0.5, 0.5], [1.0, 2.0]], np.float32)


def tensor(data: Any, name: str = "text", shape: list[int] | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": "BYTES", "data": data} | fields


def body(*inputs: dict[str, Any], **fields: Any) -> bytes:
    return msgspec.json.encode({"inputs": inputs, **fields})


def decoded(raw: bytes, json_length: int | None = None) -> V2Request:
    return decode_infer(raw, json_length, TASK)


def texts_of(raw: bytes, json_length: int | None = None) -> list[TextInput]:
    return list(decoded(raw, json_length).asked.inputs)


def nested(levels: int) -> Any:
    """A text in so many lists."""
    return "one" if not levels else [nested(levels - 1)]


def as_bytes(*texts: str) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def binary(raw: bytes, shape: list[int], name: str = "text") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}


def texts_of_binary(raw: bytes, *inputs: dict[str, Any]) -> list[TextInput]:
    head = body(*inputs)
    return texts_of(head + raw, len(head))


@pytest.mark.parametrize(
    ("data", "shape"),
    [(["one", "two"], [2]), ([["one"], ["two"]], [2, 1]), ([["one", "two"]], [1, 2]), (["one", "two"], [2, 1])],
)
def test_texts_come_flat_or_nested(data: Any, shape: list[int]) -> None:
    assert texts_of(body(tensor(data, shape=shape))) == [TextInput("one"), TextInput("two")]


def test_pairs_come_as_two_tensors_in_any_order() -> None:
    pairs = [TextInput("one", "1"), TextInput("two", "2")]
    assert texts_of(body(tensor(["1", "2"], "text_pair"), tensor(["one", "two"]))) == pairs


def test_other_fields_of_the_protocol_are_ignored() -> None:
    assert texts_of(body(tensor(["one"], parameters={"content_type": "str"}), parameters={"priority": 1}, x=1))


@pytest.mark.parametrize(
    ("parameters", "timeout_s"),
    [
        ({}, math.inf),
        ({"timeout": 0}, math.inf),  # the protocol's way to state none
        ({"timeout": 1}, 1e-6),
        ({"timeout": 2_500_000}, 2.5),
        ({"timeout": 2**63 - 1}, (2**63 - 1) / 1e6),
    ],
)
def test_the_timeout_is_in_microseconds(parameters: dict[str, Any], timeout_s: float) -> None:
    assert decoded(body(tensor(["one"]), parameters=parameters)).timeout_s == timeout_s


@pytest.mark.parametrize("timeout", [-1, 1.5, 1.0, "5", True, False, None, [1], {}, 2**63])
def test_a_timeout_that_is_no_whole_number_of_microseconds_is_refused(timeout: Any) -> None:
    with pytest.raises(BadInput, match='"timeout" must be a whole number of microseconds'):
        decoded(body(tensor(["one"]), parameters={"timeout": timeout}))


def test_binary_texts_are_read_in_the_order_of_their_tensors() -> None:
    texts, pairs = as_bytes("ein", "schöner"), as_bytes("1", "")
    found = texts_of_binary(
        texts + as_bytes("1", "2"), binary(texts, [2]), binary(as_bytes("1", "2"), [2], "text_pair")
    )
    assert found == [TextInput("ein", "1"), TextInput("schöner", "2")]
    with pytest.raises(BadInput, match=r'"inputs\[1\]\.text_pair" is empty'):
        texts_of_binary(texts + pairs, binary(texts, [2]), binary(pairs, [2], "text_pair"))


def test_a_json_tensor_and_a_binary_one_may_be_mixed() -> None:
    raw = as_bytes("two")
    assert texts_of_binary(raw, tensor(["one"]), binary(raw, [1], "text_pair")) == [TextInput("one", "two")]


@pytest.mark.parametrize(
    ("request_body", "words"),
    [
        (b"", "not a V2 inference request"),
        (b"{}", "not a V2 inference request: .*`inputs`"),
        (b'{"inputs": "one"}', "not a V2 inference request"),
        (b'{"inputs": [{"name": "text"}]}', "not a V2 inference request: .*`shape`"),
        (b'{"inputs": [{"name": "\xff"}]}', "not a V2 inference request"),
        (b'{"inputs": [{"data": ' + b"[" * 5_000, "nested too deeply"),
        (body(), 'Send the input "text" and optionally "text_pair"'),
        (body(tensor(["one"], "sentence")), 'Send the input "text" and optionally "text_pair"'),
        (body(tensor(["one"]), tensor(["one"], "other")), 'Send the input "text" and optionally "text_pair"'),
        (body(tensor(["one"]), tensor(["1", "2"], "text_pair")), "must have the same shape"),
        (body(tensor(["one"], datatype="FP32")), "'text' has datatype 'FP32'; texts are BYTES"),
        (body(tensor(["one"], shape=[2])), r"has 1 texts, but its shape \[2\] says 2"),
        (body(tensor(["one"], shape=[-1])), r"Expected `int` >= 0 - at `\$\.inputs\[0\]\.shape\[0\]`"),
        (body(tensor(["one"], shape=[-1, -1])), r"Expected `int` >= 0"),
        (body(tensor([], shape=[2**31])), r"Expected `int` <= 2147483647"),
        (body(tensor([], shape=[10**400])), r"not a V2 inference request"),
        (body(tensor([], shape=[2**31 - 1] * 8)), "more than 256 inputs"),
        (body(tensor(["one"], shape=[1] * 9)), r"Expected `array` of length <= 8"),
        (body(tensor([], shape=[9**9] * 60_000)), "more than 256 inputs"),
        (body(tensor(["one"]), tensor(["one"])), "An input is given twice"),
        (body(tensor([{"text": "a"}], shape=[1])), "data of input 'text' holds an object; send texts"),
        (body(tensor(nested(9), shape=[1])), "holds lists in more than 8 levels"),
        (body(tensor(nested(900), shape=[1])), "holds lists in more than 8 levels"),
        (body(tensor(["one"], name="x" * 300)), "not a V2 inference request"),
        (body(tensor(["one"]), parameters={"binary_data_output": "no"}), "must be true or false"),
        (body(tensor(["one"]), outputs=[{"name": "label", "parameters": {"binary_data": "no"}}]), "must be true or"),
        (body(tensor(["one"]), outputs=[{"name": "label"}] * 2), "An output is wanted twice"),
        (body(tensor(["one"]), outputs=[{"name": "probs"}]), "no output 'probs'; outputs are label, score, logits"),
        (body(tensor([], shape=[0])), "empty list"),
        (body(tensor([1], shape=[1])), "data of input 'text' holds a number; send texts"),
        (body(tensor([""], shape=[1])), r'"inputs\[0\]" is empty'),
    ],
)
def test_what_is_no_request_for_a_text_classifier_is_refused(request_body: bytes, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        decoded(request_body)


@pytest.mark.parametrize(
    ("raw", "size", "words"),
    [
        (as_bytes("one"), 8, "does not fit the body"),
        (as_bytes("one"), -1, "does not fit the body"),
        (as_bytes("one"), "7", "does not fit the body"),
        (as_bytes("one")[:6], 6, "ends within a text"),
        (b"\x01\x00", 2, "ends within a text"),
        (b"\xff\xff\xff\xffone", 7, "ends within a text"),
        (b"\x01\x00\x00\x00\xff", 5, "is not UTF-8"),
        (as_bytes("one", "two"), 14, r"has at least 2 texts, but its shape \[1\] says 1"),
        (as_bytes("one"), True, "does not fit the body"),
        (as_bytes("one") + b"x", 7, "1 bytes follow the last input"),
        (as_bytes("one"), None, "7 bytes follow the last input"),
        (b"", None, "has 0 texts"),
    ],
)
def test_binary_tensors_of_a_wrong_size_are_refused(raw: bytes, size: Any, words: str) -> None:
    described = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": size}}
    with pytest.raises(BadInput, match=words):
        texts_of_binary(raw, described)


def test_a_json_part_longer_than_the_body_is_refused() -> None:
    raw = body(tensor(["one"]))
    with pytest.raises(BadInput, match=f"is {len(raw) + 1}, but the body has {len(raw)} bytes only"):
        decoded(raw, len(raw) + 1)
    with pytest.raises(BadInput, match="not a V2 inference request"):
        decoded(raw, len(raw) - 1)


def answered(**fields: Any) -> tuple[bytes, str, int | None]:
    asked = decoded(body(tensor(["one", "two"]), **fields))
    return encode_infer(asked, TASK, PREDICTIONS, list(LOGITS), "int8")


def test_without_wishes_all_outputs_come_as_json() -> None:
    raw, kind, json_length = answered()
    assert (kind, json_length) == ("application/json", None)
    assert msgspec.json.decode(raw) == {
        "model_name": "int8",
        "model_version": "1",
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["positive", "naïve"]},
            {"name": "score", "datatype": "FP32", "shape": [2], "data": [0.75, 0.5]},
            {"name": "logits", "datatype": "FP32", "shape": [2, 2], "data": [-0.5, 0.5, 1.0, 2.0]},
        ],
    }


def test_the_id_is_echoed_and_only_wanted_outputs_come_in_their_order() -> None:
    raw, _, _ = answered(id="42", outputs=[{"name": "score"}, {"name": "label"}])
    answer = msgspec.json.decode(raw)
    assert (answer["id"], [one["name"] for one in answer["outputs"]]) == ("42", ["score", "label"])


def test_data_beside_binary_data_is_refused() -> None:
    raw = as_bytes("one")
    with pytest.raises(BadInput, match='has both "data" and "binary_data_size"'):
        texts_of_binary(raw, binary(raw, [1]) | {"data": ["one"]})


def test_texts_in_eight_levels_are_read() -> None:
    assert texts_of(body(tensor(nested(8), shape=[1] * 8))) == [TextInput("one")]


def test_as_many_inputs_as_allowed_are_read_and_one_more_is_refused() -> None:
    assert len(decode_infer(body(tensor(["one"] * 3)), None, TASK, 3).asked.inputs) == 3
    with pytest.raises(TooLarge, match="raise --max-inputs"):
        decode_infer(body(tensor(["one"] * 3)), None, TASK, 2)


def test_binary_outputs_follow_the_json_part() -> None:
    raw, kind, json_length = answered(parameters={"binary_data_output": True})
    assert kind == "application/octet-stream"
    assert json_length is not None
    head, tail = msgspec.json.decode(raw[:json_length]), raw[json_length:]
    sizes = [one["parameters"]["binary_data_size"] for one in head["outputs"]]
    assert sizes == [len(as_bytes("positive", "naïve")), 8, 16]
    assert tail[: sizes[0]] == as_bytes("positive", "naïve")
    assert np.frombuffer(tail[sizes[0] : sizes[0] + 8], "<f4").tolist() == [0.75, 0.5]
    assert np.frombuffer(tail[-16:], "<f4").tolist() == LOGITS.ravel().tolist()


def test_each_output_may_be_wanted_binary_or_not() -> None:
    wanted = [{"name": "logits", "parameters": {"binary_data": True}}, {"name": "label"}]
    raw, _, json_length = answered(outputs=wanted)
    assert json_length is not None
    head = msgspec.json.decode(raw[:json_length])
    assert [("data" in one) for one in head["outputs"]] == [False, True]
    assert len(raw) - json_length == 16
    everything_but_score = answered(
        parameters={"binary_data_output": True}, outputs=[{"name": "score", "parameters": {"binary_data": False}}]
    )
    assert everything_but_score[1:] == ("application/json", None)


def test_binary_answers_are_requests_that_can_be_read_back() -> None:
    raw, _, json_length = answered(outputs=[{"name": "label", "parameters": {"binary_data": True}}])
    assert json_length is not None
    (label,) = msgspec.json.decode(raw[:json_length])["outputs"]
    found = texts_of_binary(raw[json_length:], label | {"name": "text"})
    assert [one.text for one in found] == ["positive", "naïve"]


def test_the_tensors_of_a_task_are_its_texts_and_the_fields_of_its_answers() -> None:
    assert tensors_of(TASK) == {
        "inputs": [
            {"name": "text", "datatype": "BYTES", "shape": [-1]},
            {"name": "text_pair", "datatype": "BYTES", "shape": [-1], "parameters": {"optional": True}},
        ],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "score", "datatype": "FP32", "shape": [-1]},
            {"name": "logits", "datatype": "FP32", "shape": [-1, 2]},
        ],
    }
