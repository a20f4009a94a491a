"""The page on adding a task is followed to the letter, in a copy of the project."""

from pathlib import Path

import pytest

from tests.pages import ROOT, follow, passes

PAGE = ROOT / "docs" / "adding-a-task.md"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_task_added_as_the_page_says_is_built_served_measured_and_compared(tmp_path: Path) -> None:
    project = tmp_path / "project"
    follow(PAGE, project)
    passes(project, "tests/tasks/conformance.py", "-k", "ranking")
