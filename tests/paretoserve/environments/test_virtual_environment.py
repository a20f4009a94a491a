"""Environments made by real interpreters and pip of small packages of the test's own, and some by a fake Python."""

import os
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from model_store.errors import EnvironmentUnavailable
from paretoserve.environments.pythons import output_of
from paretoserve.environments.virtual_environment import (
    Contents,
    environment,
    interpreter_of,
    is_ready,
    made_environment,
)

OURS = Path(sys.executable)


def executable(file: Path, script: str) -> Path:
    file.parent.mkdir()
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def wheel(folder: Path, name: str, requires: str = "") -> None:
    """A package of one module that says its name; `requires` is what its metadata asks for besides."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", f"NAME = {name!r}\n")
        info = f"{name}-1.0.dist-info"
        file.writestr(f"{info}/METADATA", metadata + (f"Requires-Dist: {requires}\n" if requires else ""))
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


# Stands for a Python that makes environments of itself; what its pip does is added.
FAKE = """
case "$*" in
  "-m venv "*) rm -rf "$3"/* && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *"pip install"*) {pip} ;;
esac
"""


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Path]:
    def python(pip: str = "true") -> Path:
        return executable(tmp_path / "fake" / "python", FAKE.format(pip=pip))

    return python


@pytest.fixture(autouse=True)
def _no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "tiny")
    wheel(wheels, "needy", requires="nothing-that-exists")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "envs"


@pytest.fixture
def contents(tmp_path: Path) -> Callable[..., Contents]:
    def of(requirements: str, *, complete: bool = True, linked: tuple[Path, ...] = ()) -> Contents:
        file = tmp_path / "requirements.txt"
        file.write_text(f"# A comment.\n{requirements}\n")
        return Contents(file, complete, linked)

    return of


def test_an_environment_holds_what_is_required_and_what_is_linked(
    folder: Path, contents: Callable[..., Contents], tmp_path: Path
) -> None:
    package = tmp_path / "lies" / "linked"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("AGE = 1\n")
    python = environment("tiny", contents("tiny==1.0\nneedy==1.0", linked=(package,)), folder, OURS)
    code = "import tiny, needy, linked; print(tiny.NAME, needy.NAME, linked.AGE)"
    assert output_of(python, code) == "tiny needy 1", "a complete list is installed without what it would bring along"
    (package / "__init__.py").write_text("AGE = 2.0\n")
    assert output_of(python, code) == "tiny needy 2.0", "a linked package is used where it lies"


def test_what_cannot_be_installed_is_one_sentence_and_leaves_nothing_behind(
    folder: Path, contents: Callable[..., Contents]
) -> None:
    message = r"^The environment of x cannot be made: No matching distribution found for nothing-that-exists\.$"
    with pytest.raises(EnvironmentUnavailable, match=message):
        environment("x", contents("needy==1.0", complete=False), folder, OURS)
    assert list(folder.iterdir()) == []


def test_it_is_made_once_for_each_state_of_its_requirements(
    folder: Path, contents: Callable[..., Contents], fake: Callable[..., Path], tmp_path: Path
) -> None:
    python = fake(f"echo made >> {tmp_path}/made")
    before = contents("tiny==1.0")
    made = environment("tiny", before, folder, python)
    assert environment("tiny", before, folder, python) == made
    after = contents("tiny==1.0\n# changed")
    assert made_environment("tiny", after, folder) is None, "what was made for another state is not used"
    assert environment("tiny", after, folder, python) != made
    assert (tmp_path / "made").read_text() == "made\nmade\n"


def test_of_two_pythons_the_one_that_was_asked_for_last_is_used(
    folder: Path, contents: Callable[..., Contents], fake: Callable[..., Path], tmp_path: Path
) -> None:
    wanted, first = contents("tiny==1.0"), fake()
    second = executable(tmp_path / "other" / "python", first.read_text())
    for python in (first, second, first):
        made = environment("tiny", wanted, folder, python)
        assert made_environment("tiny", wanted, folder) == made.parents[1]
    assert len(list(folder.iterdir())) == 2


def test_what_a_killed_process_left_is_not_used_and_made_anew(
    folder: Path, contents: Callable[..., Contents], fake: Callable[..., Path]
) -> None:
    wanted, python = contents("tiny==1.0"), fake()
    made = environment("tiny", wanted, folder, python).parents[1]
    (made / ".ready").unlink()
    (made / "rubbish").touch()
    assert made_environment("tiny", wanted, folder) is None
    assert environment("tiny", wanted, folder, python) == interpreter_of(made)
    assert not (made / "rubbish").exists()
    assert made_environment("tiny", wanted, folder) == made


def test_an_environment_whose_python_is_gone_is_not_used(
    folder: Path, contents: Callable[..., Contents], fake: Callable[..., Path]
) -> None:
    wanted = contents("tiny==1.0")
    made = environment("tiny", wanted, folder, fake()).parents[1]
    interpreter_of(made).unlink()
    interpreter_of(made).symlink_to("/there/is/no/python")
    assert not is_ready(made, wanted)


def test_two_that_make_the_same_one_at_once_get_one_that_works(folder: Path, contents: Callable[..., Contents]) -> None:
    wanted = contents("tiny==1.0")
    code = (
        "import sys; from pathlib import Path\n"
        "from paretoserve.environments.virtual_environment import Contents, environment\n"
        "print(environment('tiny', Contents(Path(sys.argv[1]), True), Path(sys.argv[2]), Path(sys.executable)))"
    )
    command = [sys.executable, "-c", code, str(wanted.requirements), str(folder)]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: subprocess.run(command, capture_output=True, text=True, check=True), range(2)))
    first, second = (run.stdout.strip() for run in runs)
    assert first == second
    assert output_of(Path(first), "import tiny; print(tiny.NAME)") == "tiny"
    assert [one.name for one in folder.iterdir()] == [Path(first).parts[-3]]


def test_one_that_waited_for_another_that_failed_makes_it_itself(
    folder: Path, contents: Callable[..., Contents], fake: Callable[..., Path], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "there")
    os.mkfifo(tmp_path / "go")
    # The first to install says that it is there, waits to be told to go on, and fails.
    fails = f"echo there > {tmp_path}/there; read go < {tmp_path}/go; echo 'ERROR: it failed' >&2; exit 1"
    python = fake(f"mkdir {tmp_path}/first || exit 0; {fails}")
    wanted = contents("tiny==1.0")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(environment, "tiny", wanted, folder, python)
        (tmp_path / "there").read_text()
        second = pool.submit(environment, "tiny", wanted, folder, python)
        (tmp_path / "go").write_text("go\n")
        with pytest.raises(EnvironmentUnavailable, match="it failed"):
            first.result()
        assert second.result().is_file()


def test_ctrl_c_leaves_nothing_behind(
    folder: Path, contents: Callable[..., Contents], fake: Callable[..., Path], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "there")
    python = fake(f"echo there > {tmp_path}/there; exec sleep 1000")
    code = (
        # Tests that run in the background are started with Ctrl-C ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys; from pathlib import Path\n"
        "from paretoserve.environments.virtual_environment import Contents, environment\n"
        "environment('tiny', Contents(Path(sys.argv[1]), True), Path(sys.argv[2]), Path(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, str(contents("tiny==1.0").requirements), str(folder), str(python)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            (tmp_path / "there").read_text()
            installing = psutil.Process(process.pid).children()
            process.send_signal(signal.SIGINT)
            process.communicate()
        finally:
            process.kill()
    assert process.returncode != 0
    assert installing
    assert not any(one.is_running() for one in installing)
    assert list(folder.iterdir()) == []
