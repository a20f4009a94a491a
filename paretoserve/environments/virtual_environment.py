"""Virtual environments: made once for each state of what they hold, and never used half made."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import EnvironmentUnavailable
from paretoserve.terminal.progress import Progress, progress

# Written last. It tells for which state of its contents an environment was made.
_READY = ".ready"


@dataclass(frozen=True, slots=True)
class Contents:
    """What an environment holds: what pip installs from `requirements`, and `linked` folders of packages.

    A `complete` file names everything that is needed: pip installs that and nothing that it would bring along.
    Linked packages are used where they lie, so that they are never older than there.
    """

    requirements: Path
    complete: bool = False
    linked: tuple[Path, ...] = ()

    @property
    def state(self) -> str:
        """Differs whenever an environment has to be made anew."""
        told = (self.requirements.read_text(encoding="utf-8"), str(self.complete), *map(str, self.linked))
        return _digest(*told)


def environment(name: str, contents: Contents, folder: Path, python: Path) -> Path:
    """The interpreter of an environment in `folder` that `python` made, or makes now if there is none of this state.

    Raises:
        EnvironmentUnavailable: it cannot be made, e.g. because a requirement cannot be installed.
    """
    # The interpreter behind a virtual environment: what it makes outlives that environment.
    base = python.resolve()
    made = folder / f"{name}-{_digest(contents.state, str(base))[:8]}"
    if not is_ready(made, contents):
        with progress(f"Environment of {name}") as report, _alone_in(made):
            # Another process may have made it meanwhile.
            if not is_ready(made, contents):
                _make(name, made, contents, base, report)
    # The one that was asked for last is the one that is used. The file system's own clock is too coarse to tell.
    now = time.time_ns()
    os.utime(made / _READY, ns=(now, now))
    return interpreter_of(made)


def made_environment(name: str, contents: Contents, folder: Path) -> Path | None:
    """The folder of the environment that was asked for last in this state of its contents, by whichever Python."""
    ready = [one for one in environments_of(name, folder) if is_ready(one, contents)]
    return max(ready, key=lambda one: (one / _READY).stat().st_mtime_ns, default=None)


def environments_of(name: str, folder: Path) -> list[Path]:
    """The folders of all environments of this name, whatever they were made for, half-made ones too."""
    return sorted(one for one in folder.glob(f"{name}-*") if len(one.name) == len(name) + 9)


def is_ready(made: Path, contents: Contents) -> bool:
    """Whether an environment is complete, for this state of its contents, and its Python still there."""
    try:
        return (made / _READY).read_bytes() == contents.state.encode() and interpreter_of(made).exists()
    except OSError:
        return False


def interpreter_of(made: Path) -> Path:
    return made / "bin" / "python"


def site_packages_of(made: Path) -> Path:
    """Where the packages of a finished environment lie."""
    return next((made / "lib").glob("python*/site-packages"))


def _digest(*told: str) -> str:
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder, made if need be; others that want it wait, and find it as it is left, or gone."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        if _is_still(folder, held):
            break
        # Whoever held it has failed and removed it.
        os.close(held)
    try:
        yield
    finally:
        os.close(held)


def _is_still(folder: Path, held: int) -> bool:
    try:
        return os.path.samestat(os.fstat(held), folder.stat())
    except FileNotFoundError:
        return False


def _make(name: str, made: Path, contents: Contents, python: Path, report: Progress) -> None:
    try:
        report("making it", 0.0)
        # A process that was killed may have left half of one.
        for _ in _lines(name, [python, "-m", "venv", made, "--clear"]):
            pass
        _install(name, made, contents, report)
        for package in contents.linked:
            (site_packages_of(made) / package.name).symlink_to(package)
        (made / _READY).write_text(contents.state)
    except BaseException:  # Ctrl-C, too
        shutil.rmtree(made, ignore_errors=True)
        raise


def _install(name: str, made: Path, contents: Contents, report: Progress) -> None:
    command: list[str | Path] = [interpreter_of(made), "-m", "pip", "install"]
    command += ["--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--no-deps"] if contents.complete else []
    command += ["--requirement", contents.requirements]
    named = contents.requirements.read_text(encoding="utf-8").splitlines()
    expected, collected = sum(line.strip() != "" and not line.startswith("#") for line in named), 0
    for line in _lines(name, command):
        if line.startswith("Collecting "):
            collected += 1
            report(f"fetching {line.split()[1]}", 0.1 + 0.7 * min(1.0, collected / max(1, expected)))
        elif line.startswith("Installing "):
            report("installing", 0.8)


def _lines(name: str, command: Sequence[str | Path]) -> Iterator[str]:
    """What a command prints, line by line; it is ended if we are.

    Raises:
        EnvironmentUnavailable: it failed.
    """
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=_surroundings())  # noqa: S603
        assert process.stdout is not None, "this is a bug: its output is a pipe"
        try:
            with process.stdout:
                yield from process.stdout
            process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            said.seek(0)
            raise EnvironmentUnavailable(f"The environment of {name} cannot be made: {_reason(process, said.read())}.")


def _reason(process: "subprocess.Popen[str]", said: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith("ERROR")] or said.splitlines()
    return lines[-1].removeprefix("ERROR: ").rstrip(".") if lines else f"exit status {process.returncode}"


def _surroundings() -> Mapping[str, str]:
    """Our environment variables, less those by which pip would find our own packages and install nothing."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
