"""The page on performance says what the results say, and nothing else."""

from pathlib import Path

import pytest

from benchmarks.harness.places import RESULTS
from benchmarks.harness.results import make_result, write_result
from benchmarks.report import PAGE, render


def test_the_page_is_what_the_results_are_rendered_to() -> None:
    if not list(RESULTS.glob("*.json")):
        pytest.skip("no benchmark has been run yet: make bench")
    assert PAGE.read_text() == render(), "write it anew: python -m benchmarks report"


def test_a_figure_of_a_result_stands_on_the_page_with_its_command_and_machine(tmp_path: Path) -> None:
    result = make_result("front", {"seconds": 3.0}, [], {"16": {"median": 12345.6, "least": 11000.0, "most": 13000.0}})
    write_result(result, tmp_path)
    page = render(tmp_path)
    assert "| 16 | 12346 (11000-13000) |" in page
    assert result.command in page
    assert result.machine["Processor"] in page
    assert "seconds: 3" in page


def test_a_benchmark_that_has_not_been_run_is_left_out(tmp_path: Path) -> None:
    assert "## " not in render(tmp_path)
