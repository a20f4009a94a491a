"""A process that is asked over its standard input and replies over its standard output, a line of JSON each.

It stays loaded between questions, so that several can take turns. The first question says what to open, the reply to it
what is really running.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from benchmarks.harness.places import ROOT
from model_store.errors import BackendError

Reply = TypeVar("Reply")


class Asked:
    """The process, as who asks sees it."""

    def __init__(self, process: "subprocess.Popen[bytes]", module: str) -> None:
        self._process, self._module = process, module

    def ask(self, question: object, kind: type[Reply]) -> Reply:
        """The reply; raises BackendError where the process has ended."""
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None
        assert answers is not None, "this is a bug: both are pipes"
        try:
            asks.write(msgspec.json.encode(question) + b"\n")
            asks.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise BackendError(f"{self._module} ended with {self._process.wait()}; it says why above.")
        return msgspec.json.decode(line, type=kind)


@contextmanager
def asked(interpreter: str, module: str, cores: Sequence[int] | None = None) -> Iterator[Asked]:
    """`interpreter -m module`, on these cores; it ends with the block."""
    process = subprocess.Popen(
        [interpreter, "-m", module],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
    )
    try:
        yield Asked(process, module)
    finally:
        process.kill()
        process.communicate()


def reply_to_all(opened: Callable[[bytes], tuple[object, Callable[[bytes], object]]]) -> None:
    """The other end: `opened` makes of the first line the reply to it, and what replies to all others."""
    # What an engine prints must not come between the replies.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def reply(what: object) -> None:
        replies.write(msgspec.json.encode(what) + b"\n")
        replies.flush()

    lines = sys.stdin.buffer
    first, answer = opened(lines.readline())
    reply(first)
    for line in lines:
        reply(answer(line))
