"""A server as a process of its own, on cores of its own, for as long as a campaign needs it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from model_store.errors import ParetoServeError

STOP_S = 25.0


@contextmanager
def running_server(
    variants: Sequence[str],
    log_file: Path,
    options: Sequence[str] = (),
    cores: Sequence[int] | None = None,
    ready_timeout_s: float = 300.0,
) -> Iterator[str]:
    """Serve `variants` (`DIR@BACKEND`) on a free port; yields the URL once all are ready, ends the server after.

    Raises:
        ParetoServeError: it ended, or was not ready in time; the message carries the end of its log.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "paretoserve", "serve", *variants, "--port", "0", *options]
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  our own interpreter, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        )
    try:
        yield _ready_url(process, log_file, ready_timeout_s)
    finally:
        _stop(process)


def _ready_url(process: "subprocess.Popen[bytes]", log_file: Path, timeout_s: float) -> str:
    assert process.stdout is not None, "this is a bug: the server's output is a pipe"
    # The server prints its URL as soon as it listens, and ends its output when it ends.
    url = next((line.split()[-1].decode() for line in process.stdout if line.startswith(b"Listening on ")), None)
    if url is None:
        process.wait()  # its output is at an end, and so is it in a moment
    give_up_at = time.monotonic() + timeout_s
    while url and process.poll() is None and time.monotonic() < give_up_at:
        if is_ready(url):
            return url
        if failure := _failure(url):
            raise ParetoServeError(failure)
        time.sleep(0.1)
    tail = log_file.read_text(errors="replace").strip().splitlines()[-5:]
    why = "ended" if process.poll() is not None else f"was not ready within {timeout_s:.0f} s"
    raise ParetoServeError(f"The server {why}; the end of {log_file.name}:\n" + "\n".join(tail))


def _get(url: str) -> bytes | None:
    """The body of a 200, None for another status or no answer."""
    try:
        with urllib.request.urlopen(url, timeout=2.0) as response:  # noqa: S310  our own server on loopback
            body: bytes = response.read()
            return body
    except (urllib.error.URLError, OSError):
        return None


def is_ready(url: str) -> bool:
    return _get(f"{url}/ping") is not None


def _failure(url: str) -> str | None:
    """Why a variant cannot be served, if one cannot."""
    body = _get(f"{url}/variants")
    variants = json.loads(body)["variants"] if body else []
    workers = [worker for variant in variants for worker in variant["workers"]]
    return next((worker["error"] for worker in workers if worker["state"] == "failed"), None)


def describe_variants(url: str) -> list[dict[str, object]]:
    """What the server says of its variants."""
    body = _get(f"{url}/variants")
    if body is None:
        raise ParetoServeError(f"{url} does not answer any more; see the server's log.")
    variants: list[dict[str, object]] = json.loads(body)["variants"]
    return variants


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
