"""A server as a process of its own, on cores of its own, for as long as a campaign needs it."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from loadtest.processes import child_process, end
from model_store.errors import ParetoServeError
from paretoserve.hosts.endpoint import Served, url_only, wait_until_ready

STOP_S = 25.0

# Of what a server prints that many lines are kept, each up to that many bytes.
LAST_LINES, LINE_BYTES = 5, 2000


@contextmanager
def served_by_process(
    variants: Sequence[str],
    log_file: Path,
    options: Sequence[str] = (),
    cores: Sequence[int] | None = None,
    ready_timeout_s: float = 300.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Serve `variants` (`DIR@BACKEND`) on a free port; yields once all are ready, ends the server after.

    `cores` are those that it may run on; `environment` is that of its process, where it is not ours.

    Raises:
        ParetoServeError: it ended, or was not ready in time; the message carries the end of its log.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "paretoserve", "serve", *variants, "--port", "0", *options]
    with ExitStack() as stack:
        with log_file.open("wb") as log, on_cores(cores):
            started = child_process(
                command, STOP_S, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment
            )
            process = stack.enter_context(started)
        output = _Output(process)
        try:
            url = _ready_url(process, output, log_file, ready_timeout_s)
            yield Served(url, process.pid, lambda: process.poll() is None)
        finally:
            end(process, STOP_S)
            output.close()


running_server = url_only(served_by_process)


@contextmanager
def on_cores(cores: Sequence[int] | None) -> Iterator[None]:
    """This thread runs on these cores meanwhile, and so do processes that it starts, for good.

    A function to be called in the new process before its program (`preexec_fn`) would do, too. But then Python calls
    what was registered for forks, and a Ctrl-C that is noticed in there is printed and forgotten.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class _Output:
    """Reads what a server prints for as long as it runs: user code that prints must not wait for a full pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None, "this is a bug: the server's output is a pipe"
        self._pipe = process.stdout
        self._told = threading.Event()
        self._last: deque[bytes] = deque(maxlen=LAST_LINES)
        self._url: str | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in iter(lambda: self._pipe.readline(LINE_BYTES), b""):
            if self._url is None and line.startswith(b"Listening on "):
                self._url = line.split()[-1].decode()
                self._told.set()
            else:
                self._last.append(line)
        self._told.set()

    def url(self) -> str | None:
        """What it listens on, once it does; None where it ends instead."""
        self._told.wait()
        return self._url

    @property
    def last_lines(self) -> list[str]:
        return [line.decode(errors="replace").rstrip() for line in list(self._last)]

    def close(self) -> None:
        """Once the server has ended."""
        self._thread.join(STOP_S)
        self._pipe.close()


def _ready_url(process: "subprocess.Popen[bytes]", output: _Output, log_file: Path, timeout_s: float) -> str:
    # The server prints its URL as soon as it listens, and ends its output when it ends.
    url = output.url()
    if url is None:
        process.wait()  # it closed its output, so it is about to end
    elif wait_until_ready(url, lambda: process.poll() is None, timeout_s):
        return url
    raise ParetoServeError(why_not_ready(process.poll() is None, timeout_s, log_file, output.last_lines))


def why_not_ready(runs: bool, timeout_s: float, log_file: Path, printed: Sequence[str] = ()) -> str:
    """The message about a server that did not get ready, with the end of its log and of what it printed."""
    tail = log_file.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
    why = f"was not ready within {timeout_s:.0f} s" if runs else "ended"
    said = ["and of what it printed:", *printed] if printed else []
    return "\n".join([f"The server {why}; the end of {log_file.name}:", *tail, *said])
