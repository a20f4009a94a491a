"""A request on its way through the user's own functions, and through what stands for those that are not there."""

from collections.abc import Sequence
from typing import Any

from handlers.own_code.batches import one_for_each
from handlers.own_code.failures import told, translated, with_own_status
from handlers.own_code.media import ANY, Wanted, as_text, body_type, wanted
from handlers.own_tensors import OwnRequest
from handlers.payloads import codecs, own_answers, own_inputs
from handlers.user_code import UserCode, as_body
from model_store.errors import BackendError, BadInput, ParetoServeError

_TOGETHER = "predict_batch_fn"


def answer_kind(user: UserCode, accept: str, default: str) -> Wanted:
    """The content type to answer as, and what a user's own function, which may answer differently, is told.

    Raises:
        NotAcceptable: there is no such function, and none of our content types is wanted.
    """
    if user.output_fn is not None or user.transform_fn is not None:
        return wanted(accept, default)
    offered = own_answers.OFFERED if user.replaces_the_model else ()
    kind = codecs.negotiate(default if accept in ANY else accept, offered)
    return Wanted(kind, kind)


def decode(user: UserCode, body: bytes, content_type: str, most_inputs: int | None) -> Any:
    """What `predict_fn` is given of a body; for a `transform_fn` the body and its content type.

    Raises:
        BadInput: it cannot be read, or `input_fn` refuses it.
        BackendError: `input_fn` failed in a way that no input is to blame for, or names a status.
    """
    if user.transform_fn is not None:
        return body, body_type(content_type)
    if user.input_fn is None:
        if user.model_fn is not None:
            return own_inputs.decode_own(body, content_type)
        return codecs.decode(body, content_type, most_inputs)
    kind = body_type(content_type)
    with translated("input_fn"):
        try:
            return user.input_fn(as_text(body, kind), kind)
        except ParetoServeError:
            raise
        except Exception as exc:
            refused = BadInput(f"The variant's own input_fn refused the body: {told(exc)}")
            raise with_own_status(exc) or refused from exc


def transformed(user: UserCode, model: Any, data: Any, asked: Wanted) -> tuple[bytes, str]:
    """The body of the answer and its content type, of `transform_fn`; what it raises is BackendError."""
    assert user.transform_fn is not None, "this is a bug: there is no transform_fn"
    body, kind = data
    with translated("transform_fn"):
        answer = user.transform_fn(model, as_text(body, kind), kind, asked.accept)
        return as_body(answer, asked.kind, own_answers.encode_json)


def predicted(user: UserCode, model: Any, data: Any) -> Any:
    """What the user's model makes of what `decode` gave, or of declared tensors; what it raises is BackendError."""
    if user.predict_batch_fn is not None:
        return raised(*predicted_together(user, model, [data]))
    given = _given(data)
    with translated("predict_fn"):
        if user.predict_fn is not None:
            return user.predict_fn(given, model)
        if isinstance(given, dict) and "inputs" in given:
            return model(given["inputs"], **(given.get("parameters") or {}))
        return model(given)


def predicted_together(user: UserCode, model: Any, several: Sequence[Any]) -> list[Any]:
    """The same for several requests in one call, an error for each where it returns something else than predictions."""
    assert user.predict_batch_fn is not None, "this is a bug: there is no predict_batch_fn"
    with translated(_TOGETHER):
        returned = user.predict_batch_fn([_given(one) for one in several], model)
        try:
            return one_for_each(returned, len(several))
        except BackendError as exc:
            return [exc] * len(several)


def raised(prediction: Any) -> Any:
    """The prediction; raises the error that stands in its place."""
    if isinstance(prediction, BaseException):
        with translated(_TOGETHER):
            raise prediction
    return prediction


def _given(data: Any) -> Any:
    return data.arrays if isinstance(data, OwnRequest) else data


def encoded(user: UserCode, prediction: Any, asked: Wanted) -> tuple[bytes, str]:
    """The body of the answer and its content type, of a prediction of the user's own model."""
    if user.output_fn is None:
        with translated("prediction"):
            return own_answers.encode_own(prediction, asked.kind), asked.kind
    return written(user, prediction, asked)


def written(user: UserCode, prediction: Any, asked: Wanted) -> tuple[bytes, str]:
    """The body of an answer and its content type, as `output_fn` gives it, or our own encoder of a task's answer."""
    if user.output_fn is None:
        with translated("prediction"):
            return codecs.encode(prediction, asked.kind), asked.kind
    with translated("output_fn"):
        return as_body(user.output_fn(prediction, asked.accept), asked.kind, own_answers.encode_json)
