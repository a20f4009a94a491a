"""Pages that say how something is added: followed to the letter, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("handlers", "loadtest", "model_store", "networks", "paretoserve", "recipes", "serving", "tests")

# A file's name on a line of its own, and the block below it.
STEP = re.compile(r"^`(?P<file>[\w./]+)`:\n\n```(?P<kind>python|diff)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def follow(page: Path, project: Path) -> None:
    """Copy the project and do what the page says: write its files, and add the lines of its diffs."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", project)
    for step in STEP.finditer(page.read_text()):
        file = project / step["file"]
        if step["kind"] == "python":
            file.write_text(step["text"])
        else:
            _add(file, step["text"])


def _add(file: Path, diff: str) -> None:
    """One line of context, below which the line with a plus is added."""
    context, added = diff.splitlines()
    lines = file.read_text().splitlines()
    assert lines.count(context[1:]) == 1, f"{file.name} has not one line that reads {context[1:]!r}"
    lines.insert(lines.index(context[1:]) + 1, added[1:])
    file.write_text("\n".join(lines) + "\n")


def passes(project: Path, *arguments: str) -> None:
    """Run pytest with these arguments in the copy; some tests must have run, and all must have passed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE), "no test ran"
