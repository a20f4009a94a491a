"""The load client: lean, in a process and on cores of its own, so that it measures the server and not itself.

`python -m loadtest.generator.lean.client` reads a plan as JSON from its standard input (or from its argument) and
writes the result as JSON; `run_client` does that from Python.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from loadtest.generator.lean.loops import ClosedLoop
from loadtest.generator.lean.open_loop import OpenLoop
from loadtest.generator.lean.plan import ClientPlan, ClientResult

_ROOT = Path(__file__).parents[3]


class RunningClient:
    """A client at work in its process; use it in a `with`, and it does not outlive the block."""

    def __init__(self, plan: ClientPlan, cores: Sequence[int] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtest.generator.lean.client"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if cores:
            # Not in the new process before its program (`preexec_fn`), where a Ctrl-C of ours would be forgotten. It
            # has no other thread yet, and waits for its plan.
            os.sched_setaffinity(self._process.pid, cores)
        assert self._process.stdin is not None, "this is a bug: the client's input is a pipe"
        with self._process.stdin as pipe:
            pipe.write(msgspec.json.encode(plan))

    def __enter__(self) -> "RunningClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def result(self) -> ClientResult:
        """Wait for the end of the plan; raises RuntimeError where the client itself failed."""
        assert self._process.stdout is not None, "this is a bug: the client's output is a pipe"
        output = self._process.stdout.read()
        if self._process.wait() != 0:
            raise RuntimeError("The load client failed; its error stands above.")
        return msgspec.json.decode(output, type=ClientResult)


def run_client(plan: ClientPlan, cores: Sequence[int] | None = None) -> ClientResult:
    """Run a plan in a process of its own, pinned to `cores`."""
    with RunningClient(plan, cores) as client:
        return client.result()


async def run_here(plan: ClientPlan) -> ClientResult:
    """Run a plan in this process."""
    load = ClosedLoop(plan) if plan.arrivals is None else OpenLoop(plan)
    return await load.run()


def main() -> None:
    raw = sys.argv[1].encode() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    plan = msgspec.json.decode(raw, type=ClientPlan)
    gc.disable()  # a collection in the middle of a measurement would be measured
    result = uvloop.run(run_here(plan))
    # Python left unbuffered (PYTHONUNBUFFERED) may write a part only; a file of our own writes all.
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
