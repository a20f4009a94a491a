"""A server seen from outside: whether it is ready, why not, and what it says of its variants."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ParamSpec

from model_store.errors import ParetoServeError

POLL_S = 0.1

Told = ParamSpec("Told")


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs: its address, its first process if it can be seen from here, and whether it is still alive."""

    url: str
    pid: int | None
    is_alive: Callable[[], bool]


def url_only(served: Callable[Told, AbstractContextManager[Served]]) -> Callable[Told, AbstractContextManager[str]]:
    """As `served`, for those who need the address and no more."""

    @contextmanager
    def running(*args: Told.args, **kwargs: Told.kwargs) -> Iterator[str]:
        with served(*args, **kwargs) as server:
            yield server.url

    return running


def is_ready(url: str) -> bool:
    return _get(f"{url}/ping") is not None


def wait_until_ready(url: str, runs: Callable[[], bool], timeout_s: float) -> bool:
    """Wait for all variants to be ready; False where the server ended, or took longer than `timeout_s`.

    Raises:
        ParetoServeError: a variant cannot be served; the message says why.
    """
    give_up_at = time.monotonic() + timeout_s
    while runs() and time.monotonic() < give_up_at:
        if is_ready(url):
            return True
        if failure := _failure(url):
            raise ParetoServeError(failure)
        time.sleep(POLL_S)
    return False


def describe_variants(url: str) -> list[dict[str, object]]:
    """What the server says of its variants.

    Raises:
        ParetoServeError: it does not answer.
    """
    body = _get(f"{url}/variants")
    if body is None:
        raise ParetoServeError(f"{url} does not answer any more; see the server's log.")
    variants: list[dict[str, object]] = json.loads(body)["variants"]
    return variants


def _failure(url: str) -> str | None:
    """Why a variant cannot be served, if one cannot."""
    body = _get(f"{url}/variants")
    variants = json.loads(body)["variants"] if body else []
    workers = [worker for variant in variants for worker in variant["workers"]]
    return next((worker["error"] for worker in workers if worker["state"] == "failed"), None)


def _get(url: str) -> bytes | None:
    """The body of a 200, None for another status or no answer."""
    try:
        with urllib.request.urlopen(url, timeout=2.0) as response:  # noqa: S310  our own server on loopback
            body: bytes = response.read()
            return body
    except (urllib.error.URLError, OSError):
        return None
