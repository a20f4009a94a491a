from collections.abc import Iterator

import msgspec
import pytest

from model_store.errors import ParetoServeError
from serving.front.http_errors import error_body, retry_after, status_of

EXPECTED = {
    "BadInput": 400,
    "DataError": 400,
    "Unauthorized": 401,
    "UnknownVariant": 404,
    "UnknownModel": 404,
    "UnknownVersion": 404,
    "NotAcceptable": 406,
    "AlreadyLoaded": 409,
    "TooLarge": 413,
    "UnsupportedMediaType": 415,
    "UnknownHost": 421,
    "Overloaded": 429,
    "ParetoServeError": 500,
    "BackendError": 500,
    "GoldenMismatch": 500,
    "OwnCodeError": 500,
    "RecipeError": 500,
    "EnvironmentUnavailable": 500,
    "StoreError": 500,
    "DamagedArtifact": 500,
    "UnsafeArchive": 500,
    "UnsupportedManifest": 500,
    "UnsupportedCheckpoint": 500,
    "WorkerFailed": 500,
    "NotReady": 503,
    "DeadlineExceeded": 504,
    "NoMemory": 507,
}


def tree(error: type[ParetoServeError] = ParetoServeError) -> Iterator[str]:
    """The names of all errors that the module defines; other packages and tests may derive their own."""
    if error.__module__ == ParetoServeError.__module__:
        yield error.__name__
    for child in error.__subclasses__():
        yield from tree(child)


def test_every_error_of_the_tree_has_the_status_that_clients_expect() -> None:
    assert {name: status_of(name) for name in tree()} == EXPECTED


def test_a_body_holds_the_message_and_the_name_of_the_error() -> None:
    assert msgspec.json.decode(error_body('Not "this".', "BadInput")) == {"error": 'Not "this".', "type": "BadInput"}


@pytest.mark.parametrize(("seconds", "header"), [(0.0, b"1"), (0.2, b"1"), (1.0, b"1"), (1.01, b"2"), (29.5, b"30")])
def test_retry_after_is_whole_seconds_rounded_up_and_never_zero(seconds: float, header: bytes) -> None:
    assert retry_after(seconds) == header
