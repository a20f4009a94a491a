import subprocess
from pathlib import Path

import pytest

from benchmarks.harness.clones import clones
from benchmarks.harness.places import ROOT, SHARED
from model_store.errors import ParetoServeError


def git(folder: Path, *arguments: str) -> None:
    person = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *person, *arguments], check=True, capture_output=True)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A clone whose command tells which of its packages it found, and refuses anything else than `tell`."""
    folder = tmp_path / "somewhere" / "clone"
    (folder / "paretoserve").mkdir(parents=True)
    (folder / "paretoserve" / "__main__.py").write_text(
        "import sys, pathlib\n"
        "if sys.argv[1:] != ['tell']: sys.exit('no such command')\n"
        "pathlib.Path('told').write_text(__file__)\n"
    )
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    return folder


def test_each_clone_runs_its_own_code_wherever_it_starts(old: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "paretoserve").mkdir(parents=True)
    with clones(old) as (one, _):
        one.run(["-m", "paretoserve", "tell"], tmp_path / "work")
        assert (tmp_path / "work" / "told").read_text() == str(one.folder / "paretoserve" / "__main__.py")


def test_both_clones_stand_beside_the_same_shared_data(old: Path) -> None:
    with clones(old) as (one, other):
        assert one.folder.resolve() == old
        assert other.folder.resolve() == ROOT
        assert one.folder.parent == other.folder.parent
        assert (one.folder.parent / SHARED.name).exists() == SHARED.exists()


def test_a_commit_is_marked_where_files_were_changed_since(old: Path) -> None:
    with clones(old) as (one, _):
        clean = one.commit
    (old / "paretoserve" / "__main__.py").write_text("changed")
    with clones(old) as (one, _):
        assert one.commit == f"{clean}+"
    assert len(clean) == 40


def test_what_fails_in_a_clone_is_told_with_its_name(old: Path, tmp_path: Path) -> None:
    with (
        clones(old) as (one, _),
        pytest.raises(ParetoServeError, match=r"In the old clone, .* failed: no such command"),
    ):
        one.run(["-m", "paretoserve", "build"], tmp_path)


def test_a_folder_that_is_no_clone_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ParetoServeError, match="is not a clone of ParetoServe; give the folder of one with --old"),
        clones(tmp_path),
    ):
        pytest.fail("it is no clone")


def test_a_copy_that_is_not_under_git_is_refused(tmp_path: Path) -> None:
    (tmp_path / "paretoserve").mkdir()
    (tmp_path / "paretoserve" / "__main__.py").touch()
    with pytest.raises(ParetoServeError, match="is not under git"), clones(tmp_path):
        pytest.fail("its commit is unknown")
