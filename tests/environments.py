"""Environments of the real engines, made on first use and kept in the clone: some take minutes to make."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from handlers.backends.catalogue import BACKENDS
from model_store.errors import EnvironmentUnavailable
from paretoserve.environments.catalogue import ENGINES, create_environment, environment_name, python_of

FOLDER = Path(__file__).parents[1] / ".envs"


def needs_environment(backend: str) -> bool:
    """Whether tests run a backend in its environment, which takes long to make: where our own interpreter has not got
    the engine, and everywhere with PARETOSERVE_TEST_ENVIRONMENTS=all."""
    name = BACKENDS[backend].environment if backend in BACKENDS else None
    if name is None:
        return False
    return os.environ.get("PARETOSERVE_TEST_ENVIRONMENTS") == "all" or find_spec(ENGINES[name].module) is None


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
