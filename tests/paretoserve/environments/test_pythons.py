import stat
import sys
from pathlib import Path

import pytest

from model_store.errors import EnvironmentUnavailable
from paretoserve.environments.pythons import find_python, output_of

OURS = Path(sys.executable)
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def executable(file: Path, script: str) -> Path:
    file.parent.mkdir(parents=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's empty home, and nothing on the PATH."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_shim_that_stands_for_nothing_is_passed_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = executable(home / "shims" / f"python{VERSION}", "exit 127")
    real = executable(home / "real" / f"python{VERSION}", f'exec "{sys.executable}" "$@"')
    monkeypatch.setenv("PATH", f"{shim.parent}:{real.parent}:/bin:/usr/bin")
    assert find_python(f"python{VERSION}") == OURS
    assert find_python(str(real)) == OURS


@pytest.mark.parametrize(
    ("variable", "below"),
    [
        (None, ".pyenv/versions/3.99.1/bin"),
        (None, ".local/share/uv/python/cpython-3.99.1-linux-x86_64-gnu/bin"),
        ("PYENV_ROOT", "elsewhere/versions/3.99.1/bin"),
        ("UV_PYTHON_INSTALL_DIR", "elsewhere/cpython-3.99/bin"),
    ],
)
def test_pythons_of_version_managers_are_found_beyond_the_path(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, below: str
) -> None:
    if variable:
        monkeypatch.setenv(variable, str(home / "elsewhere"))
    there = executable(home / below / "python3.99", f"echo {home}/found")
    assert find_python("python3.99") == home / "found"
    there.unlink()
    with pytest.raises(EnvironmentUnavailable):
        find_python("python3.99")


def test_one_on_the_path_goes_before_those_beyond_it(home: Path) -> None:
    executable(home / ".pyenv/versions/3.99.1/bin/python3.99", "echo /beyond")
    executable(home / "bin" / "python3.99", "echo /on/the/path")
    assert find_python("python3.99") == Path("/on/the/path")


@pytest.mark.parametrize("name", ["python3.98", "/there/is/no/python"])
def test_a_python_that_is_not_there_is_told(home: Path, name: str) -> None:
    with pytest.raises(EnvironmentUnavailable, match=rf"There is no {name}.* that runs; install it"):
        find_python(name)


def test_an_interpreter_that_does_not_run_answers_nothing(tmp_path: Path) -> None:
    assert output_of(executable(tmp_path / "bin" / "python", "exit 1"), "print(1)") == ""
    assert output_of(OURS, "print(1)") == "1"
