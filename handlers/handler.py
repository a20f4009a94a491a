"""What a worker runs: one variant on one engine, from a request's bytes to an answer's bytes.

A request goes through `prepare` (decode, tokenize), `infer` (the engine, on texts of several requests at once) and
`finish` (labels, encode). Where the user's own code replaces the model, `run_alone` takes the place of the last two.
Knows no HTTP, no queue, no metric.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from handlers.backends.base import ArtifactFile, Logits, Placement, SessionInfo
from handlers.backends.catalogue import artifact_name, open_session
from handlers.open_inference import V2Question, decode_infer, encode_infer
from handlers.payloads import codecs
from handlers.payloads.request import RawRequest
from handlers.tasks.payload import Question, read_question
from handlers.tasks.text_classification import TextClassifier
from handlers.tokens.packing import Tokens, padding_tokens
from handlers.tokens.padding import Grid
from handlers.tokens.tokenizer import TextTokenizer
from handlers.user_code import Context, UserCode, load_user_code
from model_store.errors import BackendError, BadInput, GoldenMismatch, ParetoServeError, StoreError
from model_store.manifest import Artifact, Manifest, contained, verify_artifact


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    content_type: str
    json_length: int | None = None
    truncated: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, decoded. `texts` wait for the engine; a request for the user's own model has none.

    `timeout_s`, from its arrival, is what its body states; most state none.
    """

    request: RawRequest
    data: Any
    texts: tuple[Tokens, ...] = ()
    timeout_s: float = math.inf

    @property
    def truncated(self) -> tuple[int, ...]:
        return tuple(i for i, tokens in enumerate(self.texts) if tokens.truncated)


@dataclass(slots=True)
class Handler:
    """`prepare` and `finish` may be called from any thread, `infer` and `run_alone` from one thread a stream."""

    manifest: Manifest
    model: Any
    user: UserCode = field(default_factory=UserCode)
    # What V2 clients call it, where that is not the variant's own name.
    served_as: str | None = None

    @property
    def batches(self) -> bool:
        """Whether texts of several requests may share a call of the engine."""
        return not self.user.replaces_the_model

    @property
    def session_info(self) -> SessionInfo | None:
        return self.model.session.info if isinstance(self.model, TextClassifier) else None

    @property
    def width_step(self) -> int:
        """Rows are padded to a multiple of this many tokens; 1 where the engine takes any width as well."""
        return self.session_info.width_step if self.session_info else 1

    @property
    def grid(self) -> Grid | None:
        """The shapes of a padded artifact's calls, which have a row for each text; None where texts are packed."""
        return self.model.grid if isinstance(self.model, TextClassifier) else None

    def prepare(self, request: RawRequest) -> Prepared:
        """Decode and tokenize.

        Raises:
            BadInput: the request cannot be understood.
        """
        if request.protocol == "v2":
            if not self.batches:
                raise BadInput("This variant runs its own model_fn or predict_fn; ask it at /invocations.")
            asked = decode_infer(request.body, request.json_length)
            return Prepared(request, asked, self._tokenize(asked.question), asked.timeout_s)
        payload = self._decode(request)
        if not self.batches:
            return Prepared(request, payload)
        question = read_question(payload)
        return Prepared(request, question, self._tokenize(question))

    def _decode(self, request: RawRequest) -> Any:
        if self.user.input_fn is None:
            return codecs.decode(request.body, request.content_type)
        kind = codecs.media_type(request.content_type) or codecs.JSON
        # SageMaker hands text types over as text and all others as bytes.
        is_text = kind in (codecs.JSON, codecs.CSV)
        try:
            return self.user.input_fn(request.body.decode() if is_text else request.body, kind)
        except ParetoServeError:
            raise
        except Exception as exc:
            raise BadInput(f"The variant's own input_fn refused the body: {type(exc).__name__}: {exc}") from exc

    def _tokenize(self, question: Question) -> tuple[Tokens, ...]:
        return tuple(self.model.tokenize(question))

    def infer(self, rows: Sequence[Sequence[Tokens]]) -> Logits:
        """Logits (texts, labels) of texts laid out in rows; raises BackendError."""
        return self.model.infer(rows)  # type: ignore[no-any-return]

    def padding_tokens(self, rows: Sequence[Sequence[Tokens]]) -> int:
        """How many tokens `infer` adds to these texts."""
        if self.grid is None:
            return padding_tokens(rows, self.width_step)
        lengths = [len(text) for row in rows for text in row]
        return self.grid.tokens(len(lengths), max(lengths)) - sum(lengths)

    def finish(self, prepared: Prepared, logits: Logits) -> Answer:
        """The answer to one request, from the logits (its texts, labels) that came back for it."""
        if isinstance(prepared.data, V2Question):
            # The protocol has one row per text, however the texts were sent.
            predictions = self.model.answer(replace(prepared.data.question, shape="list"), logits)
            name = self.served_as or self.manifest.variant
            body, kind, json_length = encode_infer(prepared.data, predictions, logits, name)
            return Answer(body, kind, json_length, prepared.truncated)
        body, kind = self._encode(self.model.answer(prepared.data, logits), prepared.request.accept)
        return Answer(body, kind, truncated=prepared.truncated)

    def run_alone(self, prepared: Prepared) -> Answer:
        """Run a request through the user's own functions; raises what they raise as BackendError."""
        with _translated("predict_fn"):
            prediction = self._predict_alone(prepared.data)
        body, kind = self._encode(prediction, prepared.request.accept)
        return Answer(body, kind)

    def _predict_alone(self, data: Any) -> Any:
        if self.user.predict_fn is not None:
            return self.user.predict_fn(data, self.model)
        if isinstance(data, dict) and "inputs" in data:
            return self.model(data["inputs"], **(data.get("parameters") or {}))
        return self.model(data)

    def _encode(self, prediction: Any, accept: str) -> tuple[bytes, str]:
        if self.user.output_fn is None:
            with _translated("prediction"):
                return codecs.encode(prediction, accept)
        kind = codecs.JSON if accept in ("", "*/*") else accept
        with _translated("output_fn"):
            encoded = self.user.output_fn(prediction, kind)
            body, kind = encoded if isinstance(encoded, tuple) else (encoded, kind)
            if isinstance(body, str):
                return body.encode(), kind
            return (bytes(body), kind) if isinstance(body, bytes | bytearray) else (codecs.encode_json(body), kind)

    def close(self) -> None:
        if isinstance(self.model, TextClassifier):
            self.model.session.close()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Whatever the user's own code raises is an error of the variant, told by name; ours pass through."""
    try:
        yield
    except ParetoServeError:
        raise
    except Exception as exc:
        raise BackendError(f"The variant's own {what} failed: {type(exc).__name__}: {exc}") from exc


def load_handler(
    model_dir: Path, manifest: Manifest, backend: str, placement: Placement, *, verify: bool = True
) -> Handler:
    """Load a variant into an engine, with the user's own code where there is some, and check its golden inputs.

    `verify` holds the files against the manifest's digests; who loads a variant again need not.

    Raises:
        StoreError: an artifact is missing or damaged, or there is none for this backend.
        BackendError: the engine, or the user's code, failed to load.
        GoldenMismatch: the engine runs, but answers differently from when the variant was built.
    """
    user = load_user_code(model_dir, Context(str(model_dir), msgspec.to_builtins(manifest)))
    if user.model_fn is not None:
        with _translated("model_fn"):
            return Handler(manifest, user.model_fn(str(model_dir)), user)
    artifact = manifest.artifacts.get(artifact_name(backend, manifest.artifacts))
    if artifact is None:
        raise StoreError(
            f"Variant {manifest.variant!r} has no artifact for backend {backend!r}; it has: "
            f"{', '.join(manifest.artifacts) or 'none'}."
        )
    file = verify_artifact(artifact, model_dir) if verify else contained(model_dir, artifact.file)
    loaded = ArtifactFile(file, artifact.precision, artifact.layout, manifest.max_tokens)
    session = open_session(backend, loaded, placement)
    manifest = _narrowed(manifest, session.info.grid)
    tokenizer = TextTokenizer(contained(model_dir, "tokenizer.json"), manifest.max_tokens)
    handler = Handler(manifest, TextClassifier(session, tokenizer, manifest.labels), user)
    check_golden(handler, artifact)
    return handler


def _narrowed(manifest: Manifest, grid: Grid | None) -> Manifest:
    """The manifest with texts cut at the width that a graph fixes, if it fixes one."""
    width = grid.width if grid else None
    return msgspec.structs.replace(manifest, max_tokens=min(manifest.max_tokens, width or manifest.max_tokens))


def golden_logits(handler: Handler) -> Logits:
    """The logits (golden inputs, labels) of a handler's golden inputs, each asked alone."""
    tokenizer = handler.model.tokenizer
    rows = [handler.infer([[tokenizer(one.text, one.text_pair)]]) for one in handler.manifest.golden]
    return np.concatenate(rows) if rows else np.zeros((0, len(handler.manifest.labels)), np.float32)


def check_golden(handler: Handler, artifact: Artifact) -> None:
    if not artifact.golden_logits:
        return
    expected, found = np.array(artifact.golden_logits, np.float32), golden_logits(handler)
    for one, want, got in zip(handler.manifest.golden, expected, found, strict=True):
        if np.abs(want - got).max() > artifact.golden_tolerance:
            raise GoldenMismatch(
                f"Golden input {one.text!r} of variant {handler.manifest.variant!r} should give the logits "
                f"{want.round(4).tolist()} and gives {got.round(4).tolist()} (tolerance {artifact.golden_tolerance}); "
                "this engine or processor computes differently: build the variant again on it."
            )
