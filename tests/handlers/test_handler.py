import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers.backends.base import Placement
from handlers.handler import Handler, load_handler
from handlers.inferred import manifest_of
from handlers.payloads.request import Limits, RawRequest
from handlers.pipeline import Pipeline
from handlers.tasks.base import Floats
from handlers.tasks.text_classification import ClassificationRequest, TextClassification
from handlers.tokens.packing import Tokens
from handlers.tokens.tokenizer import TextTokenizer
from handlers.user_code import UserCode
from model_store.errors import (
    BackendError,
    BadInput,
    DamagedArtifact,
    GoldenMismatch,
    NotAcceptable,
    ParetoServeError,
    StoreError,
    TooLarge,
)
from model_store.manifest import Manifest, Technique, read_manifest, write_manifest
from tests.handlers.sessions import FailingSession, FixedSession
from tests.handlers.variants import copy_of, opened, write_code

TASK = TextClassification(("a",))
ANY_MANIFEST = Manifest(
    model="m", variant="v", technique=Technique(recipe="none"), task_settings={"labels": ["a"]}, max_tokens=64
)


def ask(handler: Handler, body: bytes, content_type: str = "", accept: str = "") -> Any:
    """The decoded answer to one request, the way a worker gets it."""
    prepared = handler.prepare(RawRequest(body, content_type, accept))
    if handler.batches:
        return msgspec.json.decode(handler.finish(prepared, handler.infer([prepared.windows])).body)
    return msgspec.json.decode(handler.run_alone(prepared).body)


def with_code(dense: Path, folder: Path, code: str) -> Handler:
    return opened(write_code(copy_of(dense, folder / "variant"), code))


def test_a_request_is_prepared_run_and_finished(dense: Path) -> None:
    handler = opened(dense)
    (answer,) = ask(handler, b'{"inputs": "a good film"}')
    assert answer == {"label": "positive", "score": pytest.approx(0.69, abs=0.02)}
    assert (handler.batches, handler.session_info is not None) == (True, True)


def test_an_answer_names_the_texts_that_were_cut(dense: Path) -> None:
    handler = opened(dense)
    long = "good " * 100
    prepared = handler.prepare(RawRequest(msgspec.json.encode({"inputs": ["short", long, "short", long]})))
    assert prepared.truncated == (1, 3)
    assert handler.finish(prepared, handler.infer([prepared.windows])).truncated == (1, 3)


def test_v2_answers_carry_the_name_that_the_variant_is_served_as(dense: Path) -> None:
    handler = opened(dense)
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"]}
    raw = RawRequest(msgspec.json.encode({"inputs": [tensor]}), protocol="v2")
    for served_as, name in ((None, "dense"), ("dense@torch", "dense@torch")):
        handler.served_as = served_as
        prepared = handler.prepare(raw)
        answer = msgspec.json.decode(handler.finish(prepared, handler.infer([prepared.windows])).body)
        assert answer["model_name"] == name


class BothWays(TextClassification):
    """Reads each text forwards and backwards, and answers with what both ways add up to."""

    def windows(self, asked: ClassificationRequest, tokenizer: TextTokenizer) -> list[Tokens]:
        return [tokenizer(text) for one in asked.inputs for text in (one.text, one.text[::-1])]

    def answer(self, asked: ClassificationRequest, windows: Sequence[Tokens], outputs: Sequence[Floats]) -> Any:
        assert [len(window) for window in windows] == [3, 3, 4, 4]
        return [float((outputs[2 * i] + outputs[2 * i + 1]).sum()) for i in range(len(asked.inputs))]


def test_a_task_may_cut_an_input_into_several_windows(tokenizer: TextTokenizer) -> None:
    session = FixedSession([[1.0], [2.0], [10.0], [20.0]])
    handler = Handler(ANY_MANIFEST, Pipeline(session, tokenizer, BothWays(("a",))))
    assert ask(handler, b'{"inputs": ["good", "a film"]}') == [3.0, 30.0]


def test_a_damaged_artifact_is_refused_by_its_name(dense: Path, tmp_path: Path) -> None:
    damaged = copy_of(dense, tmp_path / "damaged")
    content = bytearray((damaged / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / "model.onnx").write_bytes(content)
    with pytest.raises(DamagedArtifact, match=r"'model\.onnx' of variant 'damaged' is damaged"):
        opened(damaged)
    assert opened(damaged, "openvino")


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_refused_by_its_name(dense: Path, tmp_path: Path, file: str) -> None:
    partial = copy_of(dense, tmp_path / "partial")
    (partial / file).unlink()
    with pytest.raises(DamagedArtifact, match=rf"'{file}' is missing"):
        opened(partial)


def test_an_artifact_name_another_layout_than_its_manifest_says_is_refused(dense: Path) -> None:
    manifest = read_manifest(dense)
    padded = msgspec.structs.replace(manifest.artifacts["onnxruntime"], layout="padded")
    manifest = msgspec.structs.replace(manifest, artifacts={"onnxruntime": padded})
    with pytest.raises(BackendError, match=r"'model\.onnx' takes .*segment_ids.*; a padded classifier takes input_ids"):
        load_handler(dense, manifest, "onnxruntime", Placement())


def test_a_backend_without_an_artifact_is_answered_with_those_that_have_one(dense: Path, tmp_path: Path) -> None:
    manifest = read_manifest(dense)
    with pytest.raises(
        StoreError, match=r"no artifact for backend 'deepsparse'; it has: torch, onnxruntime, openvino\."
    ):
        load_handler(dense, manifest, "deepsparse", Placement())
    folder = write_code(tmp_path / "code-only", "def predict_fn(data, model): ...\n")
    with pytest.raises(StoreError, match=r"it has: none\."):
        load_handler(folder, manifest_of(folder), "python", Placement())


def test_an_engine_that_answers_differently_from_when_it_was_built_is_not_ready(dense: Path, tmp_path: Path) -> None:
    other = copy_of(dense, tmp_path / "other")
    manifest = read_manifest(other)
    artifact = manifest.artifacts["onnxruntime"]
    logits = [list(row) for row in artifact.golden_logits]
    logits[2][1] += 2 * artifact.golden_tolerance
    artifact = msgspec.structs.replace(artifact, golden_logits=logits)
    write_manifest(msgspec.structs.replace(manifest, artifacts={"onnxruntime": artifact}), other)
    with pytest.raises(GoldenMismatch) as caught:
        opened(other)
    for part in (
        manifest.golden[2].text,
        str(round(logits[2][1], 4))[:6],
        "tolerance 0.001",
        "build the variant again",
    ):
        assert part in str(caught.value)


def test_an_artifact_without_golden_logits_is_taken_as_it_is(dense: Path, tmp_path: Path) -> None:
    other = copy_of(dense, tmp_path / "other")
    manifest = read_manifest(other)
    artifact = msgspec.structs.replace(manifest.artifacts["onnxruntime"], golden_logits=[])
    write_manifest(msgspec.structs.replace(manifest, artifacts={"onnxruntime": artifact}), other)
    assert ask(opened(other), b'{"inputs": "good"}')


def test_a_failing_engine_is_an_error_of_the_backend(dense: Path, tokenizer: TextTokenizer) -> None:
    handler = Handler(read_manifest(dense), Pipeline(FailingSession([]), tokenizer, TASK))
    with pytest.raises(BackendError, match="out of order"):
        ask(handler, b'{"inputs": "good"}')


def test_closing_a_handler_closes_its_engine(dense: Path, tokenizer: TextTokenizer) -> None:
    session = FixedSession([])
    Handler(read_manifest(dense), Pipeline(session, tokenizer, TASK)).close()
    assert session.closed
    Handler(read_manifest(dense), object()).close()


def test_their_own_input_fn_feeds_our_engine_in_batches(dense: Path, tmp_path: Path) -> None:
    code = "def input_fn(body, kind): return {'inputs': [f'{kind} {body.upper()}']}\n"
    handler = with_code(dense, tmp_path, code)
    assert handler.batches
    prepared = handler.prepare(RawRequest(b"good film", "text/csv; charset=utf-8"))
    assert prepared.data.inputs[0].text == "text/csv GOOD FILM"


@pytest.mark.parametrize(
    ("content_type", "body", "given"),
    [
        ("", b"x", "TextBody"),
        ("application/json", b"x", "TextBody"),
        ("text/csv", b"x", "TextBody"),
        ("image/png", b"\xff", "bytearray"),
    ],
)
def test_input_fn_is_given_text_for_text_types_and_bytes_for_others(
    dense: Path, tmp_path: Path, content_type: str, body: bytes, given: str
) -> None:
    handler = with_code(dense, tmp_path, "def input_fn(body, kind): return {'inputs': type(body).__name__}\n")
    assert handler.prepare(RawRequest(body, content_type)).data.inputs[0].text == given


def test_what_input_fn_raises_is_bad_input_told_by_name(dense: Path, tmp_path: Path) -> None:
    handler = with_code(dense, tmp_path, "def input_fn(body, kind): raise KeyError('sentence')\n")
    with pytest.raises(BadInput, match="own input_fn refused the body: KeyError: 'sentence'"):
        handler.prepare(RawRequest(b"{}"))
    with pytest.raises(BadInput, match="UnicodeDecodeError"):
        handler.prepare(RawRequest(b"\xff"))


def test_their_own_predict_fn_is_given_our_model_to_call(dense: Path, tmp_path: Path) -> None:
    code = "def predict_fn(data, model): return {'mine': model(data['inputs'], top_k=None)}\n"
    handler = with_code(dense, tmp_path, code)
    assert not handler.batches
    assert len(ask(handler, b'{"inputs": "good"}')["mine"]) == 2


def test_their_own_output_fn_is_given_our_prediction(dense: Path, tmp_path: Path) -> None:
    code = "def output_fn(prediction, accept): return f'{accept} {prediction[0][\"label\"]}', 'text/plain'\n"
    handler = with_code(dense, tmp_path, code)
    prepared = handler.prepare(RawRequest(b'{"inputs": "good"}', accept="text/html"))
    answer = handler.finish(prepared, handler.infer([prepared.windows]))
    assert (answer.body, answer.content_type) == (b"text/html positive", "text/plain")


@pytest.mark.parametrize(
    ("returned", "accept", "body", "kind"),
    [
        ("'text'", "", b"text", "application/json"),
        ("b'bytes'", "image/png", b"bytes", "image/png"),
        ("bytearray(b'bytes')", "*/*", b"bytes", "application/json"),
        ("{'a': [1]}", "*/*", b'{"a":[1]}', "application/json"),
        ("(b'x', 'text/plain', 'ignored')", "", b"x", "text/plain"),
        ("({'a': 1}, 'application/x-mine')", "", b'{"a":1}', "application/x-mine"),
    ],
)
def test_output_fn_may_return_text_bytes_or_json_with_or_without_a_type(
    tmp_path: Path, returned: str, accept: str, body: bytes, kind: str
) -> None:
    handler = own_model(tmp_path, f"def output_fn(prediction, accept): return {returned}\n")
    answer = handler.run_alone(handler.prepare(RawRequest(b"1", accept=accept)))
    assert (answer.body, answer.content_type) == (body, kind)


@pytest.mark.parametrize(
    "returned",
    [
        "(b'x', None)",
        "(b'x', 7)",
        "(b'x', '')",
        "(b'x', 'text/plain\\r\\nSet-Cookie: a=b')",
        "(b'x', 'text/plain; name=\u20ac')",
        "'\\ud800'",
        "('\\ud800', 'text/plain')",
        "{'a': '\\ud800'}",
        "object()",
        "None, print",
    ],
)
def test_what_no_answer_can_be_is_an_error_of_output_fn(tmp_path: Path, returned: str) -> None:
    handler = own_model(tmp_path, f"def output_fn(prediction, accept): return {returned}\n")
    with pytest.raises(BackendError, match="own output_fn failed: "):
        handler.run_alone(handler.prepare(RawRequest(b"1")))


DEADLY = (
    "SystemExit(1)",
    "KeyboardInterrupt",
    "__import__('asyncio').CancelledError",
    "GeneratorExit",
    "BaseException('\\ud800')",
)


@pytest.mark.parametrize("error", DEADLY)
@pytest.mark.parametrize("function", ["input_fn", "predict_fn", "output_fn"])
def test_no_error_of_their_functions_ends_more_than_its_request(tmp_path: Path, function: str, error: str) -> None:
    handler = own_model(tmp_path, f"def {function}(one, two): raise {error}\n")
    with pytest.raises(BackendError, match=f"own {function} failed: ") as caught:
        handler.run_alone(handler.prepare(RawRequest(b"1")))
    assert str(caught.value).encode()


@pytest.mark.parametrize("error", DEADLY)
def test_their_module_cannot_end_the_worker_either(tmp_path: Path, error: str) -> None:
    write_code(tmp_path, f"raise {error}\n")
    with pytest.raises(BackendError, match="cannot be imported"):
        load_handler(tmp_path, manifest_of(tmp_path), "python", Placement())


def test_an_error_without_a_text_is_told_by_its_type(tmp_path: Path) -> None:
    code = "class Odd(Exception):\n    def __str__(self): raise OSError\ndef input_fn(a, b): raise Odd\n"
    with pytest.raises(BadInput, match=r"own input_fn refused the body: Odd: \(it has no text\)"):
        own_model(tmp_path, code).prepare(RawRequest(b"1"))


def test_half_a_surrogate_pair_from_their_input_fn_is_bad_input(dense: Path, tmp_path: Path) -> None:
    handler = with_code(dense, tmp_path, "def input_fn(body, kind): return {'inputs': ['good', '\\ud800']}\n")
    with pytest.raises(BadInput, match="half of a surrogate pair"):
        handler.prepare(RawRequest(b"1"))


def test_what_cannot_be_answered_is_found_before_the_engine_runs(dense: Path) -> None:
    handler = opened(dense)
    with pytest.raises(NotAcceptable):
        handler.prepare(RawRequest(b'{"inputs": "good"}', accept="text/html"))
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"]}
    body = msgspec.json.encode({"inputs": [tensor], "outputs": [{"name": "probs"}]})
    with pytest.raises(BadInput, match="no output 'probs'"):
        handler.prepare(RawRequest(body, protocol="v2"))


def test_packed_bodies_are_unpacked_and_lengths_are_those_of_the_unpacked(dense: Path) -> None:
    handler = opened(dense)
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 8}}
    head = msgspec.json.encode({"inputs": [tensor]})
    packed = gzip.compress(head + b"\x04\x00\x00\x00good")
    found = handler.prepare(RawRequest(packed, protocol="v2", json_length=len(head), content_encoding="gzip"))
    assert found.data.asked.inputs[0].text == "good"
    handler.limits = Limits(max_body_bytes=99)
    with pytest.raises(TooLarge, match="over the limit of 99 bytes when unpacked"):
        handler.prepare(RawRequest(gzip.compress(b" " * 100), content_encoding="gzip"))


@pytest.mark.parametrize(
    ("kind", "row"), [("text/csv", b'"a good, bad film"\n'), ("application/jsonlines", b'{"inputs": "a good film"}\n')]
)
def test_thousands_of_records_are_answered_in_one_request_where_that_is_allowed(
    dense: Path, kind: str, row: bytes
) -> None:
    handler = opened(dense)
    with pytest.raises(TooLarge, match="--max-inputs"):
        handler.prepare(RawRequest(row * 2000, kind))
    handler.limits = Limits(max_inputs=2000)
    prepared = handler.prepare(RawRequest(row * 2000, kind, kind))
    answer = handler.finish(prepared, handler.infer([prepared.windows[:8]]) * 250)
    assert (answer.content_type, answer.body.count(b"\n")) == (kind, 2000)


def test_a_users_own_model_may_be_sent_any_number_of_values(dense: Path, tmp_path: Path) -> None:
    assert ask(own_model(tmp_path), msgspec.json.encode({"inputs": [1] * 9000})) == [1] * 9000
    ours = with_code(dense, tmp_path, "def predict_fn(data, model): return model(data['inputs'])\n")
    with pytest.raises(TooLarge):
        ours.prepare(RawRequest(msgspec.json.encode({"inputs": ["good"] * 257})))


def own_model(folder: Path, code: str = "", model: str = "lambda data: data") -> Handler:
    write_code(folder, f"def model_fn(model_dir): return {model}\n{code}")
    return load_handler(folder, manifest_of(folder), "python", Placement())


def test_their_own_model_needs_no_artifact_and_gets_what_was_sent(tmp_path: Path) -> None:
    handler = own_model(tmp_path)
    assert (handler.batches, handler.session_info) == (False, None)
    assert ask(handler, b'{"anything": [1, 2]}') == {"anything": [1, 2]}


def test_their_own_model_is_called_as_a_pipeline_is(tmp_path: Path) -> None:
    handler = own_model(tmp_path, model="lambda inputs, **parameters: [inputs, parameters]")
    assert ask(handler, b'{"inputs": "one", "parameters": {"top_k": 2}}') == ["one", {"top_k": 2}]
    assert ask(handler, b'{"inputs": "one", "parameters": null}') == ["one", {}]


def test_their_own_model_cannot_be_asked_over_v2(tmp_path: Path) -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"]}
    with pytest.raises(BadInput, match="ask it at /invocations"):
        own_model(tmp_path).prepare(RawRequest(msgspec.json.encode({"inputs": [tensor]}), protocol="v2"))


@pytest.mark.parametrize(
    ("code", "model", "words"),
    [
        ("def predict_fn(data, model): raise OSError('disk')", "1", "own predict_fn failed: OSError: disk"),
        ("", "1", "own predict_fn failed: TypeError: 'int' object is not callable"),
        (
            "",
            "lambda data: object()",
            "own prediction failed: TypeError: A prediction must be made of JSON's own types",
        ),
        ("def output_fn(prediction, accept): 1 / 0", "lambda d: d", "own output_fn failed: ZeroDivisionError"),
    ],
)
def test_what_their_functions_raise_is_an_error_of_the_backend_told_by_name(
    tmp_path: Path, code: str, model: str, words: str
) -> None:
    handler = own_model(tmp_path, code, model)
    with pytest.raises(BackendError, match=words):
        handler.run_alone(handler.prepare(RawRequest(b"1")))


def test_a_model_fn_that_fails_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="own model_fn failed: ZeroDivisionError: division by zero"):
        own_model(tmp_path, model="1 / 0")


def test_errors_of_the_tree_pass_through_their_functions(tmp_path: Path) -> None:
    code = "from model_store.errors import BadInput\ndef predict_fn(data, model): raise BadInput('No verbs, please.')\n"
    handler = own_model(tmp_path, code)
    with pytest.raises(BadInput, match=r"^No verbs, please\.$"):
        handler.run_alone(handler.prepare(RawRequest(b"1")))


def test_a_handler_without_code_has_ours_only(dense: Path) -> None:
    assert opened(dense).user == UserCode()


def test_every_refusal_is_a_sentence_without_a_path_of_the_server(dense: Path, tmp_path: Path) -> None:
    manifest = read_manifest(dense)
    for backend, file in (("torch", "model.safetensors"), ("onnxruntime", "model.onnx"), ("openvino", "model.xml")):
        damaged = copy_of(dense, tmp_path / backend)
        (damaged / file).write_bytes(b"not a model")
        unverified = msgspec.structs.replace(manifest.artifacts[backend], sha256={})
        with pytest.raises(ParetoServeError) as caught:
            load_handler(
                damaged, msgspec.structs.replace(manifest, artifacts={backend: unverified}), backend, Placement()
            )
        assert file in str(caught.value)
        assert str(tmp_path) not in str(caught.value)
