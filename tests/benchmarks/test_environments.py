import stat
from pathlib import Path

import pytest

from benchmarks.harness import environments
from benchmarks.harness.environments import environment
from model_store.errors import EnvironmentUnavailable


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path / "envs")
    return tmp_path / "envs"


def requirements(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text(text)
    return file


def executable(file: Path, script: str) -> Path:
    file.parent.mkdir()
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


# Stands for a Python that makes environments of itself, and whose pip installs what is not called "odd".
FAKE = """
case "$*" in
  "-c "*) echo "$0" ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo made >> "$(dirname "$0")/made" ;;
  "-m pip install"*) for last; do :; done; ! grep odd "$last" || { echo "ERROR: no odd thing" >&2; exit 1; } ;;
esac
"""


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fake = executable(tmp_path / "fake" / "python3.99", FAKE)
    monkeypatch.setenv("PATH", f"{fake.parent}:/bin:/usr/bin")
    return fake


def test_an_environment_is_made_once_for_each_state_of_its_requirements(
    folder: Path, tmp_path: Path, python: Path
) -> None:
    made = environment("none", requirements(tmp_path, "one==1\n"), "3.99")
    assert made.is_file()
    assert environment("none", requirements(tmp_path, "one==1\n"), "3.99") == made
    other = environment("none", requirements(tmp_path, "one==2\n"), "3.99")
    assert {one.name for one in folder.iterdir()} == {made.parts[-3], other.parts[-3]}
    assert (python.parent / "made").read_text() == "made\nmade\n"


@pytest.mark.usefixtures("python")
def test_what_cannot_be_installed_is_one_sentence_and_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnavailable, match=r"^The environment of x cannot be made: no odd thing\.$"):
        environment("x", requirements(tmp_path, "odd==1\n"), "3.99")
    assert list(folder.iterdir()) == []
