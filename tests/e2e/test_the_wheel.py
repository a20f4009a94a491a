"""The built wheel, in an environment that knows nothing of the clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints that no variable leads to the clone."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy, so that nothing of an earlier build gets in and nothing is left in the clone."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "runs"))
    run(sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, copy, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, which finds all that it requires among our own packages, but not the clone."""
    made = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", made, cwd=made)
    interpreter = made / "bin" / "python"
    run(interpreter, *PIP, "install", "--no-deps", "--no-index", wheel, cwd=made)
    site = next(made.glob("lib/python*/site-packages"))
    # Paths that a .pth file names are searched, and .pth files in them, as that of an editable install, are not read.
    (site / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


@pytest.mark.slow
def test_it_holds_what_the_packages_read_at_run_time(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    packages = {name.partition("/")[0] for name in held if name.endswith("/__init__.py")}
    read = {
        str(file.relative_to(ROOT))
        for package in packages
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert read <= held


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_a_demo_without_the_clone(python: Path, tmp_path: Path) -> None:
    where = run(python, "-c", "import paretoserve; print(paretoserve.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(python.parents[1])
    command = python.with_name("paretoserve")
    run(command, "demo", "--steps", "2", "--users", "2", "--out", tmp_path / "demo", cwd=tmp_path)
    assert (tmp_path / "demo" / "report.html").is_file()
