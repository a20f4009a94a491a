"""The page on adding a backend is followed to the letter, in a copy of the project."""

from pathlib import Path

import pytest

from tests.pages import ROOT, follow, passes

PAGE = ROOT / "docs" / "adding-a-backend.md"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_backend_added_as_the_page_says_passes_the_conformance_suite(tmp_path: Path) -> None:
    project = tmp_path / "project"
    follow(PAGE, project)
    passes(project, "tests/backends/conformance.py", "-k", "onnx-reference")
