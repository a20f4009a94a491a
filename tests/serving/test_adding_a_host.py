"""The page on adding a host is followed to the letter, in a copy of the project."""

from pathlib import Path

import pytest

from tests.pages import ROOT, follow, passes

PAGE = ROOT / "docs" / "adding-a-host.md"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_host_added_as_the_page_says_keeps_what_every_replica_promises(tmp_path: Path) -> None:
    project = tmp_path / "project"
    follow(PAGE, project)
    passes(project, "tests/serving/front/test_replicas.py", "-k", "own-thread")
