import json
from typing import Any

import pytest

from handlers.open_inference import decode_infer
from handlers.tasks.catalogue import open_task
from handlers.tasks.payload import TextInput
from loadtest.plan.targets import parse_target
from loadtest.results.errors import LoadTestError

PAIR = {"text": "a", "text_pair": "b"}


def translated(spec: str, inputs: Any) -> Any:
    (body,) = parse_target(spec).bodies([json.dumps({"inputs": inputs}).encode()])
    return json.loads(body)


def test_our_own_interface_gets_bodies_byte_for_byte() -> None:
    target = parse_target("invocations")
    assert target.path == "/invocations"
    assert target.bodies([b'{ "inputs": "a" }', b"anything"]) == (b'{ "inputs": "a" }', b"anything")


def test_v2_gets_a_tensor_of_texts_and_one_of_their_pairs() -> None:
    assert parse_target("v2:dense").path == "/v2/models/dense/infer"
    text = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    assert translated("v2:dense", "a") == {"inputs": [text]}
    assert translated("v2:dense", [PAIR, ["c", "d"]]) == {
        "inputs": [
            {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "c"]},
            {"name": "text_pair", "datatype": "BYTES", "shape": [2], "data": ["b", "d"]},
        ]
    }


@pytest.mark.parametrize("inputs", ["a", ["a", "b"], PAIR, [PAIR, PAIR]])
def test_our_own_server_reads_the_same_inputs_from_a_v2_request(inputs: Any) -> None:
    body = json.dumps(translated("v2:dense", inputs)).encode()
    task = open_task("text-classification", {"labels": ["negative", "positive"]})
    listed = inputs if isinstance(inputs, list) else [inputs]
    expected = [TextInput(one) if isinstance(one, str) else TextInput(**one) for one in listed]
    assert [*decode_infer(body, None, task).asked.inputs] == expected


def test_predictions_get_the_inputs_in_the_field_named() -> None:
    assert parse_target("predictions:bert").path == "/predictions/bert"
    assert translated("predictions:bert", "a") == {"inputs": "a"}
    assert translated("predictions:bert:data", ["a", PAIR]) == {"data": ["a", PAIR]}


def test_an_endpoint_of_sagemaker_takes_our_bodies_and_wants_signatures() -> None:
    target = parse_target("sagemaker:my-endpoint-2")
    assert (target.path, target.is_sagemaker) == ("/endpoints/my-endpoint-2/invocations", True)
    assert target.bodies([b'{"inputs": "a"}']) == (b'{"inputs": "a"}',)
    assert not parse_target("invocations").is_sagemaker


@pytest.mark.parametrize("spec", ["", "v3:dense", "v2", "v2:", "predictions", "predictions:bert:", "invocations:x"])
def test_an_unknown_interface_is_refused_with_those_there_are(spec: str) -> None:
    with pytest.raises(LoadTestError, match="give invocations, v2:NAME, sagemaker:ENDPOINT, or predictions:NAME"):
        parse_target(spec)


@pytest.mark.parametrize(
    "body", [b"text", b'{"data": "a"}', b'{"inputs": 3}', b'{"inputs": []}', b'{"inputs": ["a", ["b", "c"]]}']
)
def test_a_body_that_is_not_ours_is_refused(body: bytes) -> None:
    with pytest.raises(LoadTestError):
        parse_target("v2:dense").bodies([body])
