"""The page on adding a backend is followed to the letter, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-a-backend.md"
PACKAGES = ("handlers", "loadtest", "model_store", "paretoserve", "serving", "tests")

# A file's name on a line of its own, and the block below it.
STEP = re.compile(r"^`(?P<file>[\w./]+)`:\n\n```(?P<kind>python|diff)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def follow(page: str, project: Path) -> None:
    for step in STEP.finditer(page):
        file = project / step["file"]
        if step["kind"] == "python":
            file.write_text(step["text"])
        else:
            context, added = step["text"].splitlines()
            lines = file.read_text().splitlines()
            assert lines.count(context[1:]) == 1, f"{step['file']} has not one line that reads {context[1:]!r}"
            lines.insert(lines.index(context[1:]) + 1, added[1:])
            file.write_text("\n".join(lines))


@pytest.mark.timeout(300)
def test_a_backend_added_as_the_page_says_passes_the_conformance_suite(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", project)
    follow(PAGE.read_text(), project)
    command = [sys.executable, "-m", "pytest", "-q", "tests/backends/conformance.py", "-k", "onnx-reference"]
    done = subprocess.run(
        command,
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"^\d\d passed", done.stdout, re.MULTILINE), "the suite did not run"
