"""Own code that answers several requests in one call: `predict_batch_fn(data, model)` with a list, and a list back."""

from typing import Any

from model_store.errors import BackendError

SIZE = "BATCH_SIZE"
DEFAULT_SIZE = 8
"""The most requests in a list, where the user's module does not say it."""


def batch_size(file: str, said: Any) -> int:
    """The most requests in a list, of the module's `BATCH_SIZE` or None; raises BackendError where that is no size."""
    if said is None:
        return DEFAULT_SIZE
    if not isinstance(said, int) or isinstance(said, bool) or said < 1:
        raise BackendError(f"{file}: {SIZE} is {said!r}; make it a whole number of requests, 1 or more.")
    return said


def one_for_each(returned: Any, count: int) -> list[Any]:
    """The predictions for `count` requests: of a list or tuple, or the rows of an array or tensor.

    Raises:
        BackendError: they are not as many, or nothing that has an order.
    """
    many = isinstance(returned, list | tuple) or bool(getattr(returned, "shape", ()))
    if many and len(returned) == count:
        return list(returned)
    what = f"{len(returned)} predictions" if many else f"a {type(returned).__name__}"
    raise BackendError(
        f"The variant's own predict_batch_fn returned {what} for {count} requests; return a list with one for each, in "
        "their order."
    )
