"""What a worker runs: one variant on one engine, from a request's bytes to an answer's bytes.

A request goes through `prepare` (decode, cut into windows of tokens), `infer` (the engine, on windows of several
requests at once) and `finish` (the task's answer, encoded). Where the user's own code replaces the model, `run_alone`
or `run_together` takes the place of the last two. Knows no HTTP, no queue, no metric.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from handlers import own_requests
from handlers.backends.base import ArtifactFile, Placement, SessionInfo
from handlers.backends.catalogue import artifact_name, loads_in_place
from handlers.golden import check_golden
from handlers.loading import Parts, load_pipeline
from handlers.open_inference import V2Request, decode_infer, encode_infer, tensors_of
from handlers.own_code.context import Context, Exchange, answering
from handlers.own_code.failures import translated
from handlers.own_code.media import Wanted
from handlers.own_tensors import OwnRequest
from handlers.payloads import codecs
from handlers.payloads.content_encoding import unpack
from handlers.payloads.request import Limits, RawRequest
from handlers.pipeline import Pipeline
from handlers.tasks.base import AnyTask, Floats
from handlers.tasks.catalogue import open_task
from handlers.tasks.payload import check_count
from handlers.tokens.packing import Tokens, padding_tokens
from handlers.tokens.padding import Grid
from handlers.tokens.tokenizer import TextTokenizer
from handlers.user_code import UserCode, load_user_code, run_at_load
from model_store.errors import ParetoServeError, StoreError
from model_store.manifest import TOKENIZER_FILE, Artifact, Manifest, described
from model_store.opened import opened_artifact
from model_store.rows import Row

DEFAULT_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
"""The environment variable that names the content type of answers to clients that do not care."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` and `headers` are what the user's own code set; 0 is the usual status."""

    body: bytes
    content_type: str
    json_length: int | None = None
    truncated: tuple[int, ...] = ()
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, decoded. `windows` wait for the engine; a request for the user's own model has none.

    `kind` is the content type of its answer; V2 has its own. `timeout_s`, from its arrival, is what its body states;
    most state none. For the user's own functions: `accept` is what they are told of it, `exchange` what their context
    knows.
    """

    kind: str
    data: Any
    windows: tuple[Tokens, ...] = ()
    timeout_s: float = math.inf
    accept: str = ""
    exchange: Exchange | None = None

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.accept, self.kind)

    @property
    def truncated(self) -> tuple[int, ...]:
        """The inputs that were cut, by index; a task that makes several windows of an input cuts none."""
        return tuple(i for i, tokens in enumerate(self.windows) if tokens.truncated)


@dataclass(slots=True)
class Handler:
    """`prepare` and `finish` may be called from any thread, `infer` and `run_…` from one thread a stream."""

    manifest: Manifest
    model: Any
    user: UserCode = field(default_factory=UserCode)
    # What V2 clients call it, where that is not the variant's own name.
    served_as: str | None = None
    limits: Limits = Limits()
    default_accept: str = codecs.JSON

    @property
    def batches(self) -> bool:
        """Whether windows of several requests may share a call of the engine."""
        return not self.user.replaces_the_model

    @property
    def tensors(self) -> dict[str, list[dict[str, Any]]]:
        """Those that V2 clients send and are answered with."""
        return self.user.tensors.described() if self.user.replaces_the_model else tensors_of(self._task)

    @property
    def _name(self) -> str:
        return self.served_as or self.manifest.variant

    @property
    def session_info(self) -> SessionInfo | None:
        return self.model.session.info if isinstance(self.model, Pipeline) else None

    @property
    def tokenizer(self) -> TextTokenizer:
        """That of the built-in model, for texts of the server's own; a user's own model has none."""
        return self.model.tokenizer  # type: ignore[no-any-return]

    @property
    def width_step(self) -> int:
        """Rows are padded to a multiple of this many tokens; 1 where the engine takes any width as well."""
        return self.session_info.width_step if self.session_info else 1

    @property
    def grid(self) -> Grid | None:
        """The shapes of a padded artifact's calls, which have a row for each window; None where these are packed."""
        return self.model.grid if isinstance(self.model, Pipeline) else None

    def prepare(self, request: RawRequest) -> Prepared:
        """Decode a request and cut it into windows.

        Raises:
            BadInput: the request cannot be understood, or its answer not be written as it wants.
            BackendError: the user's own `input_fn` failed in a way that no input is to blame for.
        """
        body = unpack(request.body, request.content_encoding, self.limits.max_body_bytes)
        if request.protocol == "v2":
            return self._prepare_v2(body, request)
        wanted = own_requests.answer_kind(self.user, request.accept, self.default_accept)
        exchange = self._exchange(request)
        with answering(exchange):
            payload = own_requests.decode(self.user, body, request.content_type, self._most_inputs)
        if self._most_inputs is not None:
            check_count(payload, self._most_inputs)
        if not self.batches:
            return Prepared(wanted.kind, payload, accept=wanted.accept, exchange=exchange)
        asked = self._task.read(payload)
        return Prepared(wanted.kind, asked, self._windows(asked), accept=wanted.accept, exchange=exchange)

    def _prepare_v2(self, body: bytes, request: RawRequest) -> Prepared:
        if self.user.replaces_the_model:
            own = self.user.tensors.read(body, request.json_length)
            return Prepared("", own, timeout_s=own.timeout_s, exchange=self._exchange(request))
        asked = decode_infer(body, request.json_length, self._task, self.limits.max_inputs)
        return Prepared("", asked, self._windows(asked.asked), asked.timeout_s)

    def _exchange(self, request: RawRequest) -> Exchange | None:
        return Exchange(request.headers) if self.user != _NO_CODE else None

    @property
    def _most_inputs(self) -> int | None:
        """None where a user's own model is asked: what its requests hold is its own business."""
        return self.limits.max_inputs if isinstance(self.model, Pipeline) else None

    @property
    def _task(self) -> AnyTask:
        return self.model.task  # type: ignore[no-any-return]

    def _windows(self, asked: Any) -> tuple[Tokens, ...]:
        return tuple(self._task.windows(asked, self.tokenizer))

    def infer(self, rows: Sequence[Sequence[Tokens]]) -> list[Floats]:
        """What the network gives for each window, an array each, of windows laid out in rows; raises BackendError."""
        return self.model.infer(rows)  # type: ignore[no-any-return]

    def padding_tokens(self, rows: Sequence[Sequence[Tokens]]) -> int:
        """How many tokens `infer` adds to these windows."""
        if self.grid is None:
            return padding_tokens(rows, self.width_step)
        lengths = [len(window) for row in rows for window in row]
        return self.grid.tokens(len(lengths), max(lengths)) - sum(lengths)

    def finish(self, prepared: Prepared, outputs: Sequence[Floats]) -> Answer:
        """The answer to one request, from what came back for each of its windows."""
        data, windows = prepared.data, prepared.windows
        if isinstance(data, V2Request):
            answers = self._task.answer(data.asked, windows, outputs)
            body, kind, json_length = encode_infer(data, self._task, answers, outputs, self._name)
            return Answer(body, kind, json_length, prepared.truncated)
        answer = self._task.answer(data, windows, outputs)
        with answering(prepared.exchange):
            return _with_own(prepared, *own_requests.written(self.user, answer, prepared.wanted))

    def run_alone(self, prepared: Prepared) -> Answer:
        """Run a request through the user's own functions; raises what they raise as BackendError."""
        own, data = (self.user, self.model), prepared.data
        with answering(prepared.exchange):
            if self.user.transform_fn is not None:
                return _with_own(prepared, *own_requests.transformed(*own, data, prepared.wanted))
            return self._answered(prepared, own_requests.predicted(*own, data))

    def run_together(self, several: Sequence[Prepared]) -> list[Answer | ParetoServeError]:
        """Run requests through one call of the user's `predict_batch_fn`: what each is answered, or why it is not.

        Raises:
            ParetoServeError: the call failed; it may be the fault of one of them.
        """
        with answering(*(one.exchange for one in several)):
            predictions = own_requests.predicted_together(self.user, self.model, [one.data for one in several])
        return [self._outcome(one, prediction) for one, prediction in zip(several, predictions, strict=True)]

    def _outcome(self, prepared: Prepared, prediction: Any) -> Answer | ParetoServeError:
        try:
            with answering(prepared.exchange):
                return self._answered(prepared, own_requests.raised(prediction))
        except ParetoServeError as exc:
            return exc

    def _answered(self, prepared: Prepared, prediction: Any) -> Answer:
        if isinstance(prepared.data, OwnRequest):
            with translated("prediction"):
                return _with_own(prepared, *self.user.tensors.write(prepared.data, prediction, self._name))
        return _with_own(prepared, *own_requests.encoded(self.user, prediction, prepared.wanted))

    def close(self) -> None:
        if isinstance(self.model, Pipeline):
            self.model.session.close()


def _with_own(prepared: Prepared, body: bytes, kind: str, json_length: int | None = None) -> Answer:
    """The answer, with what the user's own code set besides; a content type set there is passed over."""
    if prepared.exchange is None:
        return Answer(body, kind, json_length, prepared.truncated)
    headers = tuple(one for one in prepared.exchange.answer_headers.items() if one[0] != "content-type")
    return Answer(body, kind, json_length, prepared.truncated, prepared.exchange.status, headers)


def load_handler(model_dir: Path, manifest: Manifest, backend: str, placement: Placement) -> Handler:
    """Load a variant into an engine, with the user's own code where there is some, and check its golden inputs.

    Its files are held against the manifest's digests, and loaded as they were hashed.

    Raises:
        StoreError: an artifact is missing or damaged, or there is none for this backend.
        BackendError: the engine, or the user's code, failed to load.
        GoldenMismatch: the engine runs, but answers differently from when the variant was built.
    """
    context = Context(str(model_dir), described(manifest), gpu_id=0 if placement.device == "cuda" else None)
    user = load_user_code(model_dir, context, manifest.code)
    run_at_load(user.pre_model_fn, "pre_model_fn", model_dir)
    if user.model_fn is not None:
        handler = Handler(manifest, run_at_load(user.model_fn, "model_fn", model_dir), user)
    else:
        handler = _built_in(model_dir, manifest, user, backend, placement)
    handler.default_accept = os.environ.get(DEFAULT_ACCEPT) or codecs.JSON
    run_at_load(user.model_warmup_fn, "model_warmup_fn", model_dir, handler.model)
    return handler


_NO_CODE = UserCode()


def _built_in(model_dir: Path, manifest: Manifest, user: UserCode, backend: str, placement: Placement) -> Handler:
    """The variant's artifact in its engine, its golden inputs checked."""
    artifact = manifest.artifacts.get(artifact_name(backend, manifest.artifacts))
    if artifact is None:
        raise StoreError(
            f"Variant {manifest.variant!r} has no artifact for backend {backend!r}; it has: "
            f"{', '.join(manifest.artifacts) or 'none'}."
        )
    task = open_task(manifest.task, manifest.task_settings)
    with opened_artifact(artifact, model_dir, in_place=loads_in_place(backend, artifact.file)) as files:
        loaded = ArtifactFile(files / artifact.file, artifact.precision, artifact.layout, manifest.max_tokens)
        pipeline = load_pipeline(Parts(loaded, files / TOKENIZER_FILE, task), backend, placement)
    # A graph of a fixed width cuts texts sooner than the manifest says.
    manifest = msgspec.structs.replace(manifest, max_tokens=pipeline.tokenizer.max_tokens)
    handler = Handler(manifest, pipeline, user)
    _check_golden_inputs(handler, artifact)
    return handler


def golden_logits(handler: Handler) -> list[list[float]]:
    """What the network gives for each of a handler's golden inputs, each asked alone."""
    return [handler.model.ask(Row(one.text, one.text_pair, None))[0] for one in handler.manifest.golden]


def _check_golden_inputs(handler: Handler, artifact: Artifact) -> None:
    if not artifact.golden_logits:
        return
    manifest, found = handler.manifest, golden_logits(handler)
    for one, want, got in zip(manifest.golden, artifact.golden_logits, found, strict=True):
        what = f"Golden input {one.text!r} of variant {manifest.variant!r}"
        what_to_do = "this engine or processor computes differently: build the variant again on it"
        check_golden(what, want, got, artifact.golden_tolerance, what_to_do)
