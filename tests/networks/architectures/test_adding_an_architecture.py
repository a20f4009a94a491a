"""The page on adding an architecture is followed to the letter, in a copy of the project."""

from pathlib import Path

import pytest

from tests.pages import ROOT, follow, passes

PAGE = ROOT / "docs" / "adding-an-architecture.md"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_architecture_added_as_the_page_says_answers_as_its_own_implementation(tmp_path: Path) -> None:
    project = tmp_path / "project"
    follow(PAGE, project)
    passes(project, "tests/networks/architectures/test_camembert.py")
