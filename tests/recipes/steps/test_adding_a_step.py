"""The page on adding a step is followed to the letter, in a copy of the project."""

from pathlib import Path

import pytest

from tests.pages import ROOT, follow, passes

PAGE = ROOT / "docs" / "adding-a-step.md"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_step_added_as_the_page_says_passes_the_conformance_suite(tmp_path: Path) -> None:
    project = tmp_path / "project"
    follow(PAGE, project)
    passes(project, "tests/recipes/steps/conformance.py", "-k", "tune")
