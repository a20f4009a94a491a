"""Two clones of the project beside each other, each of which runs its own code with this interpreter."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.places import ROOT, SHARED
from model_store.errors import ParetoServeError

OLD, NEW = "old", "new"


@dataclass(frozen=True, slots=True)
class Clone:
    """A clone by its name in the benchmark; `folder` leads to it."""

    name: str
    folder: Path
    commit: str

    @property
    def environment(self) -> dict[str, str]:
        """For processes that import this clone's packages, whatever their working folder and whatever is installed."""
        return {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "PYTHONSAFEPATH": "1",
            # A folder that is not there: environments of engines that only one of the clones has are not used.
            "PARETOSERVE_ENVS": str(self.folder.parent / "environments"),
        }

    def run(self, arguments: Sequence[str], cwd: Path) -> None:
        """Run Python with these arguments.

        Raises:
            ParetoServeError: it fails; the message has the end of its output.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            tail = " | ".join(done.stdout.strip().splitlines()[-5:])
            raise ParetoServeError(f"In the {self.name} clone, 'python {' '.join(arguments)}' failed: {tail}")


@contextmanager
def clones(old: Path, new: Path = ROOT) -> Iterator[tuple[Clone, Clone]]:
    """Both clones as links in one folder, with a link to the shared data beside them, so that both find the same data.

    Raises:
        ParetoServeError: a folder is not a clone of the project.
    """
    with tempfile.TemporaryDirectory(prefix="clones-") as name:
        folder = Path(name)
        if SHARED.is_dir():
            (folder / SHARED.name).symlink_to(SHARED)
        yield _clone(OLD, old, folder), _clone(NEW, new, folder)


def _clone(name: str, source: Path, links: Path) -> Clone:
    if not (source / "paretoserve" / "__main__.py").is_file():
        raise ParetoServeError(f"{str(source)!r} is not a clone of ParetoServe; give the folder of one with --old.")
    (links / name).symlink_to(source.resolve(), target_is_directory=True)
    return Clone(name, links / name, commit_of(source))


def commit_of(folder: Path) -> str:
    """The commit that is checked out, with a plus where files were changed since.

    Raises:
        ParetoServeError: the folder is not under git.
    """
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except subprocess.CalledProcessError as exc:
        raise ParetoServeError(f"{str(folder)!r} is not under git; give a clone, so that its commit is known.") from exc


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
