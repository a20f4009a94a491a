"""A server as a process of its own, on cores of its own, for as long as a campaign needs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from model_store.errors import ParetoServeError
from paretoserve.hosts.endpoint import wait_until_ready

STOP_S = 25.0


@contextmanager
def running_server(
    variants: Sequence[str],
    log_file: Path,
    options: Sequence[str] = (),
    cores: Sequence[int] | None = None,
    ready_timeout_s: float = 300.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Serve `variants` (`DIR@BACKEND`) on a free port; yields the URL once all are ready, ends the server after.

    `cores` are those that it may run on; `environment` is that of its process, where it is not ours.

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
            env=environment,
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
        process.wait()  # it closed its output, so it is about to end
    elif wait_until_ready(url, lambda: process.poll() is None, timeout_s):
        return url
    raise ParetoServeError(why_not_ready(process.poll() is None, timeout_s, log_file))


def why_not_ready(runs: bool, timeout_s: float, log_file: Path) -> str:
    """The message about a server that did not get ready, with the end of its log."""
    tail = log_file.read_text(errors="replace").strip().splitlines()[-5:]
    why = f"was not ready within {timeout_s:.0f} s" if runs else "ended"
    return f"The server {why}; the end of {log_file.name}:\n" + "\n".join(tail)


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
