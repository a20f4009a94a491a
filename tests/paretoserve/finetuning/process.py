"""`paretoserve` as a process of its own, which keeps the state of a training after every step.

    python -m tests.paretoserve.finetuning.process LARGEST_FILE WAIT_AT ARGUMENT...

No file may get more than LARGEST_FILE bytes, as on a disk that is full. When the fraction WAIT_AT of the work is
done, the process says "waiting" and waits: whoever listens may stop it there.
"""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from paretoserve.cli import main
from paretoserve.finetuning import run
from paretoserve.terminal.progress import Progress, progress
from recipes.training import loop


def wait_at(fraction: float) -> None:
    @contextmanager
    def waiting(title: str) -> Iterator[Progress]:
        with progress(title) as report:

            def told(what: str, done: float) -> None:
                report(what, done)
                if done >= fraction:
                    print("waiting", file=sys.stderr, flush=True)  # noqa: T201  for who listens
                    sys.stdin.readline()

            yield told

    run.progress = waiting  # type: ignore[attr-defined]


if __name__ == "__main__":
    loop.SAVE_EVERY_S = 0.0
    # Tests that run in the background are started with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    largest = int(sys.argv.pop(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    wait_at(float(sys.argv.pop(1)))
    main()
