import re
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.report.several import machine_of, render_several, together
from loadtest.results.comparison import REPORT_FILE, save_report
from loadtest.results.errors import LoadTestError
from tests.loadtest.examples import two_candidates
from tests.loadtest.report.example_campaign import example_campaign


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folders = []
    for name, report in {"one": example_campaign(), "other": two_candidates()}.items():
        folders.append(tmp_path_factory.mktemp(name))
        save_report(report, folders[-1] / REPORT_FILE)
    return render_several(folders, tmp_path_factory.mktemp("out") / "new" / "reports.html").read_text(encoding="utf-8")


def test_each_report_has_its_section_with_its_machine_and_its_verdict(page: str) -> None:
    assert '<h2 id="report-1">1. sst2: 4 candidates</h2>' in page
    assert "on Intel Xeon" in page
    assert page.count('class="verdict"') == 2
    assert page.count("<svg") == 4


def test_all_candidates_stand_in_one_table_without_a_ratio() -> None:
    table = together((example_campaign(), two_candidates()))
    assert [row[1] for row in table.rows] == ["1"] * 4 + ["2"] * 2
    assert not [name for name in table.header if "against" in name]
    assert not [cell for row in table.rows for cell in row if "\N{MULTIPLICATION SIGN}" in cell]


def test_it_says_that_no_ratio_is_formed(page: str) -> None:
    assert "The reports are of different machines: no ratio is formed between them." in re.sub(r"\s+", " ", page)


def test_charts_of_different_reports_share_no_id(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert len(page) < 500_000


def test_a_machine_that_is_not_stated_is_said_to_be_so() -> None:
    assert machine_of(example_campaign()) == "Intel Xeon, 2 cores"
    assert machine_of(replace(example_campaign(), conditions={})) == "not stated"


def test_a_folder_without_a_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match="give the folder of a finished comparison"):
        render_several([tmp_path, tmp_path], tmp_path / "reports.html")
