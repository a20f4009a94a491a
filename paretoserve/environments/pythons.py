"""Pythons of this machine: on the PATH, and beyond it where version managers keep theirs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from model_store.errors import EnvironmentUnavailable

# Where pyenv, uv and people who build their own keep them; `~` and variables as in a shell.
_BEYOND_THE_PATH = (
    "$PYENV_ROOT/versions/*/bin",
    "~/.pyenv/versions/*/bin",
    "$UV_PYTHON_INSTALL_DIR/*/bin",
    "~/.local/share/uv/python/*/bin",
    "/usr/local/bin",
    "/opt/python*/bin",
    "/opt/python*/*/bin",
)


def find_python(name: str) -> Path:
    """The first Python of this name that runs (a version manager's shim may stand for nothing), or that of a path.

    A name is looked for on the PATH, then where version managers keep theirs.

    Raises:
        EnvironmentUnavailable: there is none.
    """
    folders = [None] if os.sep in name else [*_path(), *_beyond_the_path()]
    for folder in folders:
        candidate = shutil.which(name, path=folder)
        if candidate and (real := output_of(Path(candidate), "import sys; print(sys.executable)")):
            return Path(real)
    where = "" if os.sep in name else " on the PATH, nor of pyenv or uv, nor in /opt,"
    raise EnvironmentUnavailable(f"There is no {name}{where} that runs; install it.")


def output_of(interpreter: Path, code: str) -> str:
    """What a line of Python prints; nothing where the interpreter does not run."""
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""


def _path() -> list[str]:
    return [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]


def _beyond_the_path() -> Iterator[str]:
    for pattern in _BEYOND_THE_PATH:
        full = os.path.expandvars(os.path.expanduser(pattern))  # noqa: PTH111  a home may be unknown
        if full.startswith(os.sep):  # a variable that is not set stays as it is
            yield from map(str, sorted(Path(os.sep).glob(full.lstrip(os.sep)), reverse=True))
