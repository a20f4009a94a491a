"""What a worker runs: one variant on one engine, from a request's bytes to an answer's bytes.

A request goes through `prepare` (decode, cut into windows of tokens), `infer` (the engine, on windows of several
requests at once) and `finish` (the task's answer, encoded). Where the user's own code replaces the model, `run_alone`
takes the place of the last two. Knows no HTTP, no queue, no metric.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from handlers.backends.base import ArtifactFile, Placement, SessionInfo
from handlers.backends.catalogue import artifact_name, loads_in_place
from handlers.golden import check_golden
from handlers.loading import Parts, load_pipeline
from handlers.open_inference import V2Request, decode_infer, encode_infer
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
from handlers.user_code import Context, UserCode, as_body, load_user_code, told, translated
from model_store.errors import BadInput, ParetoServeError, StoreError
from model_store.manifest import TOKENIZER_FILE, Artifact, Manifest, described
from model_store.opened import opened_artifact
from model_store.rows import Row


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    content_type: str
    json_length: int | None = None
    truncated: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, decoded. `windows` wait for the engine; a request for the user's own model has none.

    `kind` is the content type of its answer; V2 has its own. `timeout_s`, from its arrival, is what its body states;
    most state none.
    """

    kind: str
    data: Any
    windows: tuple[Tokens, ...] = ()
    timeout_s: float = math.inf

    @property
    def truncated(self) -> tuple[int, ...]:
        """The inputs that were cut, by index; a task that makes several windows of an input cuts none."""
        return tuple(i for i, tokens in enumerate(self.windows) if tokens.truncated)


@dataclass(slots=True)
class Handler:
    """`prepare` and `finish` may be called from any thread, `infer` and `run_alone` from one thread a stream."""

    manifest: Manifest
    model: Any
    user: UserCode = field(default_factory=UserCode)
    # What V2 clients call it, where that is not the variant's own name.
    served_as: str | None = None
    limits: Limits = Limits()

    @property
    def batches(self) -> bool:
        """Whether windows of several requests may share a call of the engine."""
        return not self.user.replaces_the_model

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
            return self._prepare_v2(body, request.json_length)
        kind = self._answer_kind(request.accept)
        payload = self._decode(body, request.content_type)
        if self._most_inputs is not None:
            check_count(payload, self._most_inputs)
        if not self.batches:
            return Prepared(kind, payload)
        asked = self._task.read(payload)
        return Prepared(kind, asked, self._windows(asked))

    def _prepare_v2(self, body: bytes, json_length: int | None) -> Prepared:
        if not self.batches:
            raise BadInput("This variant runs its own model_fn or predict_fn; ask it at /invocations.")
        asked = decode_infer(body, json_length, self._task, self.limits.max_inputs)
        return Prepared("", asked, self._windows(asked.asked), asked.timeout_s)

    @property
    def _most_inputs(self) -> int | None:
        """None where a user's own model is asked: what its requests hold is its own business."""
        return self.limits.max_inputs if isinstance(self.model, Pipeline) else None

    def _answer_kind(self, accept: str) -> str:
        """The content type to answer as; a user's own `output_fn` is told what the client wants, and may differ."""
        if self.user.output_fn is None:
            return codecs.negotiate(accept)
        return codecs.JSON if accept in ("", "*/*") else accept

    @property
    def _task(self) -> AnyTask:
        return self.model.task  # type: ignore[no-any-return]

    def _decode(self, body: bytes, content_type: str) -> Any:
        if self.user.input_fn is None:
            return codecs.decode(body, content_type, self._most_inputs)
        kind = codecs.media_type(content_type) or codecs.JSON
        # SageMaker hands text types over as text and all others as bytes.
        is_text = kind in (codecs.JSON, codecs.CSV)
        with translated("input_fn"):
            try:
                return self.user.input_fn(body.decode() if is_text else body, kind)
            except ParetoServeError:
                raise
            except Exception as exc:
                raise BadInput(f"The variant's own input_fn refused the body: {told(exc)}") from exc

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
            name = self.served_as or self.manifest.variant
            body, kind, json_length = encode_infer(data, self._task, answers, outputs, name)
            return Answer(body, kind, json_length, prepared.truncated)
        body, kind = self._encode(self._task.answer(data, windows, outputs), prepared.kind)
        return Answer(body, kind, truncated=prepared.truncated)

    def run_alone(self, prepared: Prepared) -> Answer:
        """Run a request through the user's own functions; raises what they raise as BackendError."""
        with translated("predict_fn"):
            prediction = self._predict_alone(prepared.data)
        body, kind = self._encode(prediction, prepared.kind)
        return Answer(body, kind)

    def _predict_alone(self, data: Any) -> Any:
        if self.user.predict_fn is not None:
            return self.user.predict_fn(data, self.model)
        if isinstance(data, dict) and "inputs" in data:
            return self.model(data["inputs"], **(data.get("parameters") or {}))
        return self.model(data)

    def _encode(self, prediction: Any, kind: str) -> tuple[bytes, str]:
        if self.user.output_fn is None:
            with translated("prediction"):
                return codecs.encode(prediction, kind), kind
        with translated("output_fn"):
            return as_body(self.user.output_fn(prediction, kind), kind, codecs.encode_json)

    def close(self) -> None:
        if isinstance(self.model, Pipeline):
            self.model.session.close()


def load_handler(model_dir: Path, manifest: Manifest, backend: str, placement: Placement) -> Handler:
    """Load a variant into an engine, with the user's own code where there is some, and check its golden inputs.

    Its files are held against the manifest's digests, and loaded as they were hashed.

    Raises:
        StoreError: an artifact is missing or damaged, or there is none for this backend.
        BackendError: the engine, or the user's code, failed to load.
        GoldenMismatch: the engine runs, but answers differently from when the variant was built.
    """
    user = load_user_code(model_dir, Context(str(model_dir), described(manifest)), manifest.code)
    if user.model_fn is not None:
        with translated("model_fn"):
            return Handler(manifest, user.model_fn(str(model_dir)), user)
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
