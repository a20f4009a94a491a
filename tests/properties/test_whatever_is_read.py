"""Whatever comes from outside is read, or refused by an error of our own tree: Hypothesis looks for what is neither."""

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.open_inference import decode_infer, encode_infer
from handlers.payloads import codecs
from handlers.payloads.content_encoding import encoding_wanted
from handlers.payloads.v2 import Tensor
from handlers.tasks.text_classification import TextClassification
from handlers.tokens.packing import Tokens
from handlers.v2_tensors import DTYPES, array_of
from model_store.archive import write_archive
from model_store.errors import ParetoServeError
from model_store.manifest import MANIFEST_FILE, Manifest, Technique, read_manifest, write_manifest
from recipes.data.rows import load_data
from recipes.grammar import parse_recipe, spelled
from recipes.steps.catalogue import STEPS
from serving.wire.messages import Ask, Cancel, Frames, Reply, frame, front_side_decoder, worker_side_decoder

TASK = TextClassification(("negative", "positive"))

# Files of one example are written over by the next.
FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# An engine may have told the processor to take the smallest numbers for zero, of which Hypothesis would complain.
floats = st.floats(allow_subnormal=False)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)
content_types = st.sampled_from(["application/json", "application/jsonlines", "text/csv", ""]) | st.text()
texts = st.text(min_size=1).filter(str.strip)


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


@given(st.binary() | json_values.map(as_json), content_types)
def test_a_body_is_read_or_refused(body: bytes, content_type: str) -> None:
    with contextlib.suppress(ParetoServeError):
        TASK.read(codecs.decode(body, content_type))


@given(st.lists(texts | st.tuples(texts, texts), min_size=1, max_size=5))
def test_texts_and_pairs_that_are_sent_are_those_that_are_read(inputs: list[Any]) -> None:
    read = TASK.read(codecs.decode(msgspec.json.encode({"inputs": inputs}), "application/json"))
    sent = [(one, None) if isinstance(one, str) else one for one in inputs]
    assert [(one.text, one.text_pair) for one in read.inputs] == sent


@given(st.binary(), st.none() | st.integers(0, 100))
def test_a_v2_body_of_any_bytes_is_refused(body: bytes, json_length: int | None) -> None:
    with pytest.raises(ParetoServeError):
        decode_infer(body, json_length, TASK)


tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["text", "text_pair"]) | st.text(max_size=5),
        "shape": st.lists(st.integers(-(2**70), 2**70), max_size=10) | json_values,
        "datatype": st.sampled_from(["BYTES", "FP32"]) | json_values,
    },
    optional={"data": st.lists(json_values, max_size=5), "parameters": json_values},
)


@given(
    st.fixed_dictionaries({"inputs": st.lists(tensors, max_size=3)}, optional={"parameters": json_values}), st.binary()
)
def test_a_v2_request_is_read_or_refused(request: dict[str, Any], raw: bytes) -> None:
    head = as_json(request)
    for body, length in ((head, None), (head + raw, len(head))):
        with contextlib.suppress(ParetoServeError):
            decode_infer(body, length, TASK)


numbers = st.recursive(st.integers(-300, 300) | st.booleans() | floats | st.text(max_size=3), st.lists, max_leaves=8)


@given(
    st.sampled_from([*sorted(DTYPES), "BYTES"]),
    st.lists(st.sampled_from([0, 1, 2, 3, 2**31 - 1]), max_size=8),
    st.lists(numbers, max_size=6),
    st.none() | st.binary(max_size=24),
)
def test_a_tensor_of_any_datatype_is_read_in_its_shape_or_refused(
    datatype: str, shape: list[int], data: list[Any], raw: bytes | None
) -> None:
    tensor = Tensor(name="x", shape=shape, datatype=datatype, data=None if raw else data)
    with contextlib.suppress(ParetoServeError):
        assert list(array_of(tensor, raw).shape) == shape


@given(st.text())
def test_any_accept_encoding_is_understood(header: str) -> None:
    assert encoding_wanted(header) in ("", "gzip", "deflate")


@given(st.lists(texts, min_size=1, max_size=4), st.text())
def test_v2_texts_are_read_as_they_were_sent_and_the_answer_has_the_request_s_id(inputs: list[str], asked: str) -> None:
    import numpy as np

    tensor = {"name": "text", "shape": [len(inputs)], "datatype": "BYTES", "data": inputs}
    request = decode_infer(msgspec.json.encode({"inputs": [tensor], "id": asked}), None, TASK)
    assert [one.text for one in request.asked.inputs] == inputs
    outputs = [np.array([0.0, 1.0], np.float32)] * len(inputs)
    windows = [Tokens(np.zeros(1, np.int64), np.zeros(1, np.int64))] * len(inputs)
    body, _, _ = encode_infer(request, TASK, list(TASK.answer(request.asked, windows, outputs)), outputs, "m")
    assert msgspec.json.decode(body)["id"] == asked


messages = st.one_of(
    st.builds(Cancel, st.integers(0, 2**40)),
    st.builds(
        Ask,
        st.integers(0, 2**40),
        st.binary(max_size=300),
        st.text(),
        st.text(),
        st.just("v2"),
        st.none(),
        st.floats(0, allow_subnormal=False),
        st.floats(0, allow_subnormal=False),
    ),
)


@given(st.lists(messages, max_size=5), st.data())
def test_frames_give_the_same_messages_however_they_are_cut(sent: list[Any], data: st.DataObject) -> None:
    received: list[Any] = []
    frames = Frames(worker_side_decoder(), received.append, lambda: None)
    stream = b"".join(map(frame, sent))
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        frames.data_received(stream[:size])
        stream = stream[size:]
    assert received == sent


@given(st.integers(0, 2**40), st.binary(), st.text(), st.text())
def test_a_reply_arrives_as_it_was_sent(number: int, body: bytes, kind: str, message: str) -> None:
    received: list[Any] = []
    reply = Reply(number, body, kind, message=message)
    Frames(front_side_decoder(), received.append, lambda: None).data_received(frame(reply))
    assert received == [reply]


@FILES
@given(st.binary() | json_values.map(as_json))
def test_a_manifest_is_read_or_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / MANIFEST_FILE).write_bytes(raw)
    with contextlib.suppress(ParetoServeError):
        read_manifest(tmp_path)


@FILES
@given(
    st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.integers(-(2**50), 2**50)), st.integers(1, 2**30)
)
def test_a_manifest_is_read_as_it_was_written(
    tmp_path: Path, model: str, variant: str, task_settings: dict[str, Any], max_tokens: int
) -> None:
    technique = Technique(recipe="dense")
    manifest = Manifest(
        model=model, variant=variant, technique=technique, task_settings=task_settings, max_tokens=max_tokens
    )
    write_manifest(manifest, tmp_path)
    assert read_manifest(tmp_path) == manifest


names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)


@FILES
@given(st.dictionaries(names, st.binary(max_size=200), max_size=4))
def test_an_archive_holds_what_was_put_into_it_and_no_more(tmp_path: Path, files: dict[str, bytes]) -> None:
    write_archive(tmp_path / "v.zip", tmp_path, (), files)
    with zipfile.ZipFile(tmp_path / "v.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


@FILES
@given(st.binary() | st.text().map(str.encode), st.sampled_from([".csv", ".tsv", ".jsonl"]))
def test_a_file_of_rows_is_read_or_refused(tmp_path: Path, raw: bytes, kind: str) -> None:
    file = (tmp_path / "dev").with_suffix(kind)
    file.write_bytes(raw)
    with contextlib.suppress(ParetoServeError):
        load_data(str(file), TASK.target)


@given(st.text() | st.from_regex(r"[a-z0-9:.<=+]{0,30}", fullmatch=True))
def test_a_recipe_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ParetoServeError):
        recipe = parse_recipe(text, STEPS)
        assert recipe == parse_recipe(recipe.name, STEPS)
        assert all(map(spelled, recipe.steps))
