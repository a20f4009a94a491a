"""What the user's own code raises, as errors of the tree: told by name, in characters that can be sent."""

from collections.abc import Iterator
from contextlib import contextmanager

from model_store.errors import BackendError, OwnCodeError, ParetoServeError

# Characters of an error's text that are told.
_MOST_TOLD = 2000

# Where errors that name a status keep the text that is for the client: the toolkits' and those of web frameworks.
_MESSAGES = ("message", "detail")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Whatever the user's own code raises is an error of the variant, told by name; ours pass through.

    `SystemExit` and its like are no wish to end the worker, which has other requests in hand.
    """
    try:
        yield
    except ParetoServeError:
        raise
    except BaseException as exc:
        raise with_own_status(exc) or BackendError(f"The variant's own {what} failed: {told(exc)}") from exc


def with_own_status(error: BaseException) -> OwnCodeError | None:
    """The error that answers with the `status_code` of another one, if that is one of an error (400 to 599)."""
    try:
        status = getattr(error, "status_code", None)
        texts = [getattr(error, name, None) for name in _MESSAGES]
    except Exception:  # noqa: BLE001  properties of the user's own
        return None
    if not isinstance(status, int) or not 400 <= status <= 599:
        return None
    text = next((one for one in texts if isinstance(one, str) and one), None)
    return OwnCodeError(message_of(error) if text is None else _shortened(text), int(status))


def told(error: BaseException) -> str:
    """An error by its type and its text, in characters that can be sent, however strange it is."""
    return f"{sendable(type(error).__name__)}: {message_of(error)}"


def message_of(error: BaseException) -> str:
    """An error's own text, in characters that can be sent; code of a user's may have made it, or fail to make it."""
    try:
        return _shortened(str(error))
    except Exception:  # noqa: BLE001  a method of the user's own
        return "(it has no text)"


def _shortened(text: str) -> str:
    return sendable(text if len(text) <= _MOST_TOLD else f"{text[:_MOST_TOLD]}...")


def sendable(text: str) -> str:
    """The text, with whatever UTF-8 cannot hold written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()
