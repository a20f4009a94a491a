"""Numbers of one machine stand in one file, are in use, and have their reason on a page."""

from pathlib import Path

import pytest

from serving import tuning

SERVING = Path(tuning.__file__).parent
PAGE = SERVING.parent / "docs" / "decisions" / "0016-tuning-constants.md"
NAMES = [name for name in vars(tuning) if name.isupper()]
SOURCES = "".join(file.read_text() for file in SERVING.rglob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_each_number_is_used_and_explained(name: str) -> None:
    assert f"tuning.{name}" in SOURCES
    assert f"`{name}`" in PAGE.read_text()
