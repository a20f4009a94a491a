"""A virtual environment per peer, because their dependencies conflict; made once for each state of its requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.places import RUNS
from paretoserve.progress import progress

ENVIRONMENTS = RUNS / "envs"
_READY = ".ready"


class EnvironmentUnavailable(Exception):
    """An environment cannot be made; the message is one sentence that says why."""


def environment(name: str, requirements: Path, python: str | None = None) -> Path:
    """The interpreter of an environment with these requirements, made by `python` (as in `3.12`; ours by default).

    Raises:
        EnvironmentUnavailable: there is no such Python, or a requirement cannot be installed.
    """
    interpreter = Path(sys.executable) if python is None else find_python(python)
    state = hashlib.sha256(f"{interpreter}\n{requirements.read_text()}".encode()).hexdigest()
    folder = ENVIRONMENTS / f"{name}-{state[:8]}"
    if not (folder / _READY).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _make(name, folder, requirements, interpreter)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return folder / "bin" / "python"


def find_python(version: str) -> Path:
    """The first `pythonVERSION` on the PATH that runs: a version manager's shim may stand for nothing."""
    name = f"python{version}"
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        candidate = shutil.which(name, path=folder)
        if candidate and (real := _answer(Path(candidate), "import sys; print(sys.executable)")):
            return Path(real)
    raise EnvironmentUnavailable(f"There is no {name} on the PATH that runs; install Python {version} to measure it.")


def library_folder(interpreter: Path) -> str:
    """Where the shared library of this Python lies."""
    return _answer(interpreter, "import sysconfig; print(sysconfig.get_config_var('LIBDIR') or '')")


def _answer(interpreter: Path, code: str) -> str:
    """What a line of Python prints; nothing where the interpreter does not run."""
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _make(name: str, folder: Path, requirements: Path, interpreter: Path) -> None:
    with progress(f"Environment of {name}") as report:
        report("making it", 0.0)
        _run(name, [interpreter, "-m", "venv", folder])
        report("installing", 0.1)
        python, quiet = folder / "bin" / "python", ("--quiet", "--disable-pip-version-check", "--progress-bar", "off")
        _run(name, [python, "-m", "pip", "install", *quiet, "--requirement", requirements])
    (folder / _READY).touch()


def _run(name: str, command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reason = said[-1].removeprefix("ERROR: ").rstrip(".") if said else f"exit status {done.returncode}"
        raise EnvironmentUnavailable(f"The environment of {name} cannot be made: {reason}.")
