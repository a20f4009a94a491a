"""`predict_batch_fn` in a variant's own code: a list of what several requests sent, and a prediction for each."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers.backends.base import Placement
from handlers.handler import Answer, Handler, load_handler
from handlers.inferred import manifest_of
from handlers.own_code.batches import DEFAULT_SIZE
from handlers.payloads.request import RawRequest
from model_store.errors import BackendError, BadInput, OwnCodeError, ParetoServeError
from tests.handlers.variants import copy_of, opened, write_code


def own(folder: Path, code: str) -> Handler:
    write_code(folder, f"def model_fn(model_dir): return 'model'\n{code}")
    return load_handler(folder, manifest_of(folder), "python", Placement())


def returning(folder: Path, returned: str) -> Handler:
    return own(folder, f"import numpy as np\ndef predict_batch_fn(data, model): return {returned}\n")


def together(handler: Handler, *sent: Any, **headers: str) -> Sequence[Answer | ParetoServeError]:
    """What requests with these bodies are answered when they share a call."""
    bodies = map(msgspec.json.encode, sent)
    return handler.run_together([handler.prepare(RawRequest(body, headers=headers)) for body in bodies])


def body(answer: Answer | ParetoServeError) -> Any:
    assert isinstance(answer, Answer), str(answer)
    return msgspec.json.decode(answer.body)


def test_each_is_answered_with_what_stands_in_its_place(tmp_path: Path) -> None:
    handler = returning(tmp_path, "[[model, len(data), one] for one in data]")
    assert [body(one) for one in together(handler, 7, "a", None)] == [
        ["model", 3, 7],
        ["model", 3, "a"],
        ["model", 3, None],
    ]


def test_one_alone_is_a_list_of_one(tmp_path: Path) -> None:
    handler = returning(tmp_path, "[len(data)]")
    assert handler.run_alone(handler.prepare(RawRequest(b"7"))).body == b"1"


@pytest.mark.parametrize("returned", ["(1, 2)", "np.array([1, 2])", "np.arange(2) + np.float32(1)"])
def test_a_tuple_or_the_rows_of_an_array_are_a_list_too(tmp_path: Path, returned: str) -> None:
    assert [body(one) for one in together(returning(tmp_path, returned), 0, 0)] == [1, 2]


def test_predict_fn_beside_it_is_for_servers_that_know_no_other(tmp_path: Path) -> None:
    code = "def predict_fn(data, model): 1 / 0\ndef predict_batch_fn(data, model): return data\n"
    assert [body(one) for one in together(own(tmp_path, code), 1, 2)] == [1, 2]


def test_bodies_and_answers_stay_those_of_each_request(tmp_path: Path) -> None:
    code = """
def input_fn(body, kind): return int(body)
def predict_batch_fn(data, model): return [10 * one for one in data]
def output_fn(prediction, accept): return f"<{prediction}>", "text/plain"
"""
    answers = together(own(tmp_path, code), 1, 2)
    assert [one.body for one in answers if isinstance(one, Answer)] == [b"<10>", b"<20>"]


def test_an_exception_in_the_list_is_the_error_of_its_request(tmp_path: Path) -> None:
    code = """
from model_store.errors import BadInput
class Teapot(Exception):
    status_code, message = 418, "short and stout"
def predict_batch_fn(data, model): return [KeyError("verb"), 1, Teapot(), BadInput("No verbs."), SystemExit(1)]
"""
    handler = own(tmp_path, code)
    first, second, third, fourth, fifth = together(handler, *range(5))
    assert str(first) == "The variant's own predict_batch_fn failed: KeyError: 'verb'"
    assert isinstance(first, BackendError)
    assert body(second) == 1
    assert isinstance(third, OwnCodeError)
    assert (third.status, str(third)) == (418, "short and stout")
    assert isinstance(fourth, BadInput)
    assert isinstance(fifth, BackendError)
    with pytest.raises(BackendError, match="for 1 requests"):
        handler.run_alone(handler.prepare(RawRequest(b"1")))


def test_an_answer_that_cannot_be_written_fails_its_request_alone(tmp_path: Path) -> None:
    first, second = together(returning(tmp_path, "[object(), 2]"), 0, 0)
    assert isinstance(first, BackendError)
    assert body(second) == 2


def test_what_the_call_itself_raises_is_not_yet_the_error_of_any(tmp_path: Path) -> None:
    handler = own(tmp_path, "def predict_batch_fn(data, model): return [1 / one for one in data]\n")
    with pytest.raises(BackendError, match="own predict_batch_fn failed: ZeroDivisionError"):
        together(handler, 1, 0)


@pytest.mark.parametrize(
    ("returned", "what"),
    [
        ("[1]", "1 predictions"),
        ("[]", "0 predictions"),
        ("[1, 2, 3]", "3 predictions"),
        ("np.zeros((3, 2))", "3 predictions"),
        ("'ab'", "a str"),
        ("{0: 1, 1: 2}", "a dict"),
        ("{1, 2}", "a set"),
        ("np.float32(1)", "a float32"),
        ("None", "a NoneType"),
        ("(one for one in data)", "a generator"),
    ],
)
def test_not_one_for_each_is_an_error_of_the_variant_said_to_all(tmp_path: Path, returned: str, what: str) -> None:
    told = f"own predict_batch_fn returned {what} for 2 requests; return a list with one for each, in their order."
    for one in together(returning(tmp_path, returned), 0, 0):
        assert isinstance(one, BackendError)
        assert re.search(re.escape(told), str(one))


def test_what_cannot_even_be_looked_at_ends_no_more_than_the_call(tmp_path: Path) -> None:
    code = """
class Strange:
    @property
    def shape(self): raise KeyError("shape")
def predict_batch_fn(data, model): return Strange()
"""
    with pytest.raises(BackendError, match="own predict_batch_fn failed: KeyError: 'shape'"):
        together(own(tmp_path, code), 1, 2)


def test_the_context_knows_all_of_them_at_their_places(tmp_path: Path) -> None:
    code = """
def predict_batch_fn(data, model, context):
    for idx, sent in enumerate(data):
        context.set_response_header(idx, "x-sent", str(sent))
        context.request_processor[idx].report_status(200 + sent)
    return [[context.get_request_header(one, "X-Who"), len(context.request_ids)] for one in range(len(data))]
"""
    answers = together(own(tmp_path, code), 1, 2, **{"x-who": "me"})
    assert [body(one) for one in answers] == [["me", 2], ["me", 2]]
    assert [(one.status, one.headers) for one in answers if isinstance(one, Answer)] == [
        (201, (("x-sent", "1"),)),
        (202, (("x-sent", "2"),)),
    ]


def test_the_context_of_an_output_fn_knows_its_own_request_alone(tmp_path: Path) -> None:
    code = """
def predict_batch_fn(data, model): return data
def output_fn(prediction, accept, context): return [len(context.request_processor), context.request_ids[0]]
"""
    assert [body(one)[0] for one in together(own(tmp_path, code), 1, 2)] == [1, 1]


def test_a_request_that_is_not_there_is_told_by_the_context(tmp_path: Path) -> None:
    code = "def predict_batch_fn(data, model, context): return [context.get_request_header(2, 'a')]\n"
    with pytest.raises(BackendError, match="knows no request 2 here; it knows those that are answered, 2 from 0 on"):
        together(own(tmp_path, code), 1, 2)


def test_all_of_them_can_be_given_one_status(tmp_path: Path) -> None:
    code = """
def predict_batch_fn(data, model, context):
    context.set_all_response_status(207)
    return data
"""
    answers = together(own(tmp_path, code), 1, 2)
    assert [one.status for one in answers if isinstance(one, Answer)] == [207, 207]


def test_declared_tensors_come_as_a_list_of_dicts(tmp_path: Path) -> None:
    code = """
V2_INPUTS = [{"name": "x", "datatype": "FP32", "shape": [-1]}]
V2_OUTPUTS = [{"name": "sum", "datatype": "FP32", "shape": []}]
def predict_batch_fn(data, model): return [one["x"].sum() for one in data]
"""
    handler = own(tmp_path, code)
    tensors = [{"name": "x", "datatype": "FP32", "shape": [2], "data": [n, n]} for n in (1.0, 2.0)]
    requests = [RawRequest(msgspec.json.encode({"inputs": [one]}), protocol="v2") for one in tensors]
    answers = handler.run_together([handler.prepare(one) for one in requests])
    assert [body(one)["outputs"][0]["data"] for one in answers] == [[2.0], [4.0]]


def test_it_is_given_the_built_in_model_where_there_is_no_model_fn(dense: Path, tmp_path: Path) -> None:
    code = "def predict_batch_fn(data, model): return model([one['inputs'] for one in data])\n"
    handler = opened(write_code(copy_of(dense, tmp_path / "variant"), code))
    first, second = together(handler, {"inputs": "a good film"}, {"inputs": "a bad film"})
    assert body(first)["score"] > 0.5
    assert body(second)["score"] > 0.5


@pytest.mark.parametrize(("said", "size"), [("", DEFAULT_SIZE), ("BATCH_SIZE = 3\n", 3)])
def test_the_module_says_how_many_share_a_call(tmp_path: Path, said: str, size: int) -> None:
    code = f"{said}def predict_batch_fn(data, model, context): return [context.system_properties['batch_size']]\n"
    handler = own(tmp_path, code)
    assert handler.user.batch_size == size
    assert handler.run_alone(handler.prepare(RawRequest(b"1"))).body == str(size).encode()


def test_without_it_requests_run_one_by_one(tmp_path: Path) -> None:
    assert own(tmp_path, "BATCH_SIZE = 3\ndef predict_fn(data, model): return data\n").user.batch_size == 1


@pytest.mark.parametrize("said", ["0", "-1", "2.0", "'8'", "True"])
def test_what_is_no_size_is_refused_at_the_start(tmp_path: Path, said: str) -> None:
    with pytest.raises(BackendError, match=r"BATCH_SIZE is .*; make it a whole number of requests, 1 or more"):
        own(tmp_path, f"BATCH_SIZE = {said}\ndef predict_batch_fn(data, model): return data\n")


def test_it_cannot_stand_beside_transform_fn(tmp_path: Path) -> None:
    code = "def predict_batch_fn(data, model): pass\ndef transform_fn(model, body, kind, accept): pass\n"
    with pytest.raises(BackendError, match="transform_fn and predict_batch_fn"):
        own(tmp_path, code)
