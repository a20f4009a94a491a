"""How a function of the user's own is called: with what SageMaker's toolkits give it, and a context if it takes one."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from model_store.errors import BackendError

ARGUMENTS = {
    "pre_model_fn": ("model_dir",),
    "model_fn": ("model_dir",),
    "model_warmup_fn": ("model_dir", "model"),
    "input_fn": ("body", "content_type"),
    "predict_fn": ("data", "model"),
    "predict_batch_fn": ("data", "model"),
    "output_fn": ("prediction", "accept"),
    "transform_fn": ("model", "body", "content_type", "accept"),
}
"""The functions that a user's module may define, and what each is given, by position."""

_CONTEXT = "context"


def adapted(file: str, name: str, function: Callable[..., Any], context: Any) -> Callable[..., Any]:
    """The function, called with its arguments alone; the context is added where it takes one.

    Where the toolkits can call a function, it is called as they do: with the context as one more positional argument if
    it has exactly one parameter more. They count `**kwargs` and parameters that are optional, too, and then cannot call
    it; here those stay empty, and a parameter called `context` is given it wherever it stands.

    Raises:
        BackendError: it cannot be called with these arguments.
    """
    count = len(ARGUMENTS[name])
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as exc:
        raise BackendError(f"{file}: {name} has no signature that can be read.") from exc
    extra, keywords = _way(signature, count, context)
    if extra or keywords:
        return lambda *arguments: function(*arguments, *extra, **keywords)
    if not _takes(signature, count):
        raise BackendError(
            f"{file}: {name} takes {len(signature.parameters)} arguments; it must take {count} "
            f"({', '.join(ARGUMENTS[name])}), or {count + 1} with a context."
        )
    return function


def _way(signature: inspect.Signature, count: int, context: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """What to give besides the arguments: by position, and by name."""
    parameters = len(signature.parameters)
    if parameters == count + 1 and _takes(signature, count + 1):
        return (context,), {}
    if parameters != count and _CONTEXT in signature.parameters and _takes(signature, count, _CONTEXT):
        return (), {_CONTEXT: context}
    if not _takes(signature, count) and _takes(signature, count + 1):
        return (context,), {}
    return (), {}


def _takes(signature: inspect.Signature, positional: int, *names: str) -> bool:
    try:
        signature.bind(*range(positional), **dict.fromkeys(names))
    except TypeError:
        return False
    return True
