"""`paretoserve` as a process of its own, which keeps the state of a training after every step.

    python -m tests.paretoserve.process LARGEST_FILE WAIT_IN ARGUMENT...

No file may get more than LARGEST_FILE bytes, as on a disk that is full. In the midst of step WAIT_IN of a training,
when its weights are changed and nobody knows yet, the process says "waiting" and waits: whoever listens may stop it
there.
"""

import os
import resource
import signal
import subprocess
import sys
from typing import Any

from paretoserve.cli import main
from recipes.training import loop

ROOM_FOR_ALL, NEVER = 10**12, -1


def started(arguments: list[str], room_bytes: int = ROOM_FOR_ALL, wait_in: int = NEVER) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", __name__, str(room_bytes), str(wait_in), *arguments]
    # Threads of such small products wait for each other most of the time.
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)


def finished(arguments: list[str], room_bytes: int = ROOM_FOR_ALL) -> tuple[int, str, str]:
    """The exit code and both outputs of a process that nobody stops."""
    with started(arguments, room_bytes) as process:
        output, said = process.communicate()
    return process.returncode, output, said


def stopped(arguments: list[str], wait_in: int, by: signal.Signals) -> tuple[int, str]:
    """The exit code, and what is said after the signal, which comes in the midst of step `wait_in`."""
    with started(arguments, wait_in=wait_in) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "waiting\n":
            assert process.poll() is None
        process.send_signal(by)
        _, said = process.communicate()
        return process.returncode, said


def wait_in(step: int) -> None:
    change_weights = loop._Run._change_weights

    def waiting(run: "loop._Run[Any, Any]", batch: object, number: int) -> float:
        loss = change_weights(run, batch, number)
        if number == step:
            print("waiting", file=sys.stderr, flush=True)  # noqa: T201  for who listens
            sys.stdin.readline()
        return loss

    loop._Run._change_weights = waiting  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    loop.SAVE_EVERY_S = 0.0
    # Tests that run in the background are started with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    largest = int(sys.argv.pop(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    wait_in(int(sys.argv.pop(1)))
    main()
