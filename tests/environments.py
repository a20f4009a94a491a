"""Environments of the real engines, made on first use and kept in the clone: some take minutes to make.

`python -m tests.environments` makes all of them, some at a time, before the tests begin.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_store.errors import EnvironmentUnavailable
from paretoserve.environments.catalogue import ENGINES, create_environment, environment_name, python_of

FOLDER = Path(__file__).parents[1] / ".envs"
AT_ONCE = 3


def created(backend: str) -> Path:
    """The interpreter of a backend's environment, made now unless an earlier run has made it.

    A test that asks for it needs a timeout that leaves time for that, e.g. 600 s. `PARETOSERVE_ENVS` stays as it is.
    It is skipped where no Python is here that the engine runs on.
    """
    try:
        python_of(environment_name(backend))
    except EnvironmentUnavailable as exc:
        pytest.skip(str(exc))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSERVE_ENVS", str(FOLDER))
        return create_environment(backend)


def use_only(backends: Sequence[str], folder: Path, patch: pytest.MonkeyPatch) -> None:
    """From now on these backends run in their environments, and all others in our own interpreter.

    `folder` is an empty one of the test's own; it finds them there.
    """
    for backend in backends:
        made = created(backend).parents[1]
        (folder / made.name).symlink_to(made)
    patch.setenv("PARETOSERVE_ENVS", str(folder))


def _make(name: str) -> str:
    """Its last line says what became of it; tests that need one that cannot be made say so once more."""
    command = [sys.executable, "-m", "paretoserve", "env", "create", name]
    env = {**os.environ, "PARETOSERVE_ENVS": str(FOLDER)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return f"{name}: {(done.stdout + done.stderr).strip().splitlines()[-1]}"


def main() -> None:
    """Make all environments."""
    with ThreadPoolExecutor(AT_ONCE) as makers:
        for line in makers.map(_make, ENGINES):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
