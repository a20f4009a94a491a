"""What a user's function is called with: each way of writing its parameters."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from handlers.own_code.arguments import ARGUMENTS, adapted
from model_store.errors import BackendError

CONTEXT = object()


def function(parameters: str) -> Callable[..., Any]:
    """A function of these parameters that returns them all, by name."""
    made: dict[str, Any] = {}
    exec(f"def made({parameters}): return locals()", made)  # noqa: S102  the texts below
    found: Callable[..., Any] = made["made"]
    return found


def called(parameters: str, name: str = "predict_fn") -> dict[str, Any]:
    """What a function of these parameters is given; the context by the word."""
    adapt = adapted("code/inference.py", name, function(parameters), CONTEXT)
    given = adapt(*ARGUMENTS[name])
    return {key: _worded(value) for key, value in given.items()}


def _worded(value: Any) -> Any:
    return tuple(map(_worded, value)) if isinstance(value, tuple) else "context" if value is CONTEXT else value


@pytest.mark.parametrize(
    ("parameters", "given"),
    [
        ("a, b", {"a": "data", "b": "model"}),
        ("a, b, c", {"a": "data", "b": "model", "c": "context"}),
        ("a, b, context=None", {"a": "data", "b": "model", "context": "context"}),
        ("a, b, c=None", {"a": "data", "b": "model", "c": "context"}),
        ("a, b, /, c", {"a": "data", "b": "model", "c": "context"}),
        ("a, b=1", {"a": "data", "b": "model"}),
        ("*a, **k", {"a": ("data", "model"), "k": {}}),
        ("a, *rest", {"a": "data", "rest": ("model",)}),
        ("a, b, *rest", {"a": "data", "b": "model", "rest": ("context",)}),
    ],
)
def test_what_the_toolkits_can_call_is_called_as_they_do(parameters: str, given: dict[str, Any]) -> None:
    assert called(parameters) == given


@pytest.mark.parametrize(
    ("parameters", "given"),
    [
        ("a, b, **k", {"a": "data", "b": "model", "k": {}}),
        ("a, b, context, **k", {"a": "data", "b": "model", "context": "context", "k": {}}),
        ("a, b, c, **k", {"a": "data", "b": "model", "c": "context", "k": {}}),
        ("a, b, *, context", {"a": "data", "b": "model", "context": "context"}),
        ("a, b, *, context=None, **k", {"a": "data", "b": "model", "context": "context", "k": {}}),
        ("a, b, c=1, d=2", {"a": "data", "b": "model", "c": 1, "d": 2}),
        ("a, b, c=1, context=None", {"a": "data", "b": "model", "c": 1, "context": "context"}),
        ("*a", {"a": ("data", "model")}),
    ],
)
def test_what_they_cannot_call_is_called_as_it_reads(parameters: str, given: dict[str, Any]) -> None:
    assert called(parameters) == given


@pytest.mark.parametrize("name", ARGUMENTS)
def test_each_function_may_take_a_context_or_not(name: str) -> None:
    arguments = list(ARGUMENTS[name])
    assert list(called(", ".join(arguments), name).values()) == arguments
    assert list(called(", ".join([*arguments, "context"]), name).values()) == [*arguments, "context"]
    assert called(", ".join([*arguments, "**kwargs"]), name)["kwargs"] == {}


@pytest.mark.parametrize("parameters", ["", "a", "a, b, c, d", "*, a, b", "a, *, b"])
def test_what_nobody_can_call_is_refused(parameters: str) -> None:
    with pytest.raises(BackendError, match=r"code/inference\.py: predict_fn takes .* it must take 2 \(data, model\)"):
        called(parameters)


def test_a_method_or_a_partial_function_counts_what_is_left_of_its_parameters() -> None:
    model = partial(lambda scale, data, model: scale, 3)
    assert adapted("code/inference.py", "predict_fn", model, CONTEXT)("data", "model") == 3
