"""A virtual environment per peer, because their dependencies conflict; made once for each state of its requirements."""

import sys
from pathlib import Path

from benchmarks.harness.places import RUNS
from paretoserve.environments import virtual_environment
from paretoserve.environments.pythons import find_python, output_of
from paretoserve.environments.virtual_environment import Contents

ENVIRONMENTS = RUNS / "envs"


def environment(name: str, requirements: Path, python: str | None = None) -> Path:
    """The interpreter of an environment with these requirements, made by `python` (as in `3.12`; ours by default).

    Raises:
        EnvironmentUnavailable: there is no such Python, or a requirement cannot be installed.
    """
    interpreter = Path(sys.executable) if python is None else find_python(f"python{python}")
    return virtual_environment.environment(name, Contents(requirements), ENVIRONMENTS, interpreter)


def library_folder(interpreter: Path) -> str:
    """Where the shared library of this Python lies."""
    return output_of(interpreter, "import sysconfig; print(sysconfig.get_config_var('LIBDIR') or '')")
