import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from loadtest.report.page import render, write_report
from loadtest.results.comparison import REPORT_FILE, Difference, Quality, Report
from loadtest.results.errors import LoadTestError
from loadtest.results.reading import read_report
from tests.loadtest.examples import candidate, level, report, two_candidates
from tests.loadtest.report.example_campaign import example_campaign, example_candidate

MAX_BYTES = 500_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(two_candidates(), folder)
    return folder


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_report_is_written_whole(folder: Path) -> None:
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    names = {Path(file).stem for file in files if file.startswith("charts/")}
    assert {"thresholds", "response-time", "unserved-share", "throughput", "quality"} <= names
    charts = {f"charts/{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert files == {"report.html", "report.json", "summary.csv", "runs.csv", "levels.csv", *charts}


def test_fourteen_candidates_in_three_blocks_still_make_a_page_that_can_be_sent(tmp_path: Path) -> None:
    made = [example_candidate(f"v{n}@onnxruntime", 5.0 + n, 40.0 + 9 * n, 770 + n, 10.0 + n) for n in range(14)]
    page = write_report(replace(example_campaign(), candidates=tuple(made)), tmp_path)
    assert page.stat().st_size < MAX_BYTES


def test_page_loads_nothing_and_is_small(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert len(page.encode()) < MAX_BYTES
    tags = _Tags(page).found
    links = [value for _, attrs in tags for key, value in attrs.items() if key in ("src", "href", "xlink:href")]
    assert [link for link in links if not (link or "").startswith("#")] == []
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", page)
    assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe", "img")]


def test_page_forbids_the_network_to_itself(folder: Path) -> None:
    (policy,) = [a["content"] for _, a in _Tags((folder / "report.html").read_text()).found if "http-equiv" in a]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_page_begins_with_the_verdict_then_candidates_then_charts(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    places = [page.index(text) for text in ("int8@openvino was never given too much", 'id="candidates"', 'id="charts"')]
    assert places == sorted(places)
    assert page.index('id="thresholds"') < page.index('id="response-time"') < page.index('id="generator"')
    assert "two cores" in page


def test_headings_go_down_by_one_and_every_header_cell_has_its_scope(folder: Path) -> None:
    found = _Tags((folder / "report.html").read_text()).found
    levels = [int(tag[1]) for tag, _ in found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert {attrs.get("scope") for tag, attrs in found if tag == "th"} == {"col", "row"}


def test_page_repeats_no_id(folder: Path) -> None:
    ids = [attrs["id"] for _, attrs in _Tags((folder / "report.html").read_text()).found if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_everything_given_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    compared = report(candidate(f"{evil}@x", [level(8), level(16, doubts=("it drifted.",))]))
    page = write_report(
        Report(compared.candidates, 0.1, conditions={evil: evil}, created=evil, title=evil), tmp_path
    ).read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 5


def test_report_comes_back_as_it_was_written(folder: Path) -> None:
    assert read_report(folder / REPORT_FILE) == two_candidates()


def test_rendering_again_gives_the_same_bytes(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    render(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_missing_report_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match="give the folder of a finished comparison"):
        render(tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"schema": 1}', b'{"schema": "1"}', b'{"schema": 2, "title": "\xff"}']
)
def test_damaged_report_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / REPORT_FILE).write_bytes(data)
    with pytest.raises(LoadTestError, match=r"report\.json' is damaged .*; run the comparison again"):
        render(tmp_path)


def test_number_of_the_wrong_kind_is_named_with_its_place(folder: Path, tmp_path: Path) -> None:
    content = msgspec.json.decode((folder / REPORT_FILE).read_bytes())
    content["candidates"][1]["runs"][0]["levels"][0]["ok"] = "many"
    (tmp_path / REPORT_FILE).write_bytes(msgspec.json.encode(content))
    with pytest.raises(LoadTestError, match=r"\$\.candidates\[1\]\.runs\[0\]\.levels\[0\]\.ok"):
        render(tmp_path)


def test_a_report_of_schema_1_is_read_with_one_run_of_each_candidate() -> None:
    file = Path("docs/results/sst2-containers/report.json")
    old, read = msgspec.json.decode(file.read_bytes()), read_report(file)
    assert read.schema == 2
    for before, after in zip(old["candidates"], read.candidates, strict=True):
        assert after.quality is not None
        assert after.quality.value == before["accuracy"]["value"]
        (run,) = after.runs
        assert run.threshold is not None
        assert run.threshold.at == before["threshold"]["users"]
        assert [level.users for level in run.levels] == [level["users"] for level in before["levels"]]
        assert [level.is_sound for level in run.levels] == [level["steady"] for level in before["levels"]]


def test_later_schema_says_to_update(folder: Path, tmp_path: Path) -> None:
    content = msgspec.json.decode((folder / REPORT_FILE).read_bytes())
    (tmp_path / REPORT_FILE).write_bytes(msgspec.json.encode({**content, "schema": 3, "candidates": "elsewhere"}))
    with pytest.raises(LoadTestError, match="has schema 3 and this version reads up to 2; update"):
        render(tmp_path)


def test_levels_runs_and_summary_are_tables_with_units(folder: Path) -> None:
    levels, runs = _csv(folder / "levels.csv"), _csv(folder / "runs.csv")
    assert len(levels) == 7
    assert (levels[3]["candidate"], levels[3]["users"], levels[3]["unserved_share"]) == ("dense@torch", "54", "0.02")
    assert [row["candidate"] for row in runs] == ["dense@torch", "int8@openvino"]
    dense, int8 = _csv(folder / "summary.csv")
    assert float(dense["throttling_users"]) == pytest.approx(52, abs=0.5)
    assert (dense["common_p95_ms"], dense["common_load"]) == ("40.0", "16 users")
    assert float(dense["throttling_low"]) < 52 < float(dense["throttling_high"])
    assert (dense["quality"], dense["quality_metric"], dense["quality_examples"]) == ("0.902", "accuracy", "872")
    assert (int8["throttling_users"], int8["throttling_text"], int8["size_bytes"]) == ("", "> 64", "24000000")
    assert int8["verdict"] == "may hold more"


def test_csv_files_have_rates_beside_users_and_the_reasons_for_doubt(tmp_path: Path) -> None:
    write_report(example_campaign(), tmp_path)
    levels = _csv(tmp_path / "levels.csv")
    open_loop = [row for row in levels if row["loop"] == "open"]
    assert {(row["users"], row["rate_per_s"]) for row in open_loop} == {("", "40")}
    assert {row["doubts"] for row in levels} == {"", "Little's law is off by 9%."}
    assert sum("canary" in row["candidate"] for row in _csv(tmp_path / "runs.csv")) == 3
    nas = _csv(tmp_path / "summary.csv")[1]
    assert float(nas["ratio_to_first_low"]) < float(nas["ratio_to_first"]) < float(nas["ratio_to_first_high"])
    assert float(nas["against_first"]) == pytest.approx(-2 / 872)


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_is_known_of_variants_is_a_table_of_the_page_and_comes_back(tmp_path: Path) -> None:
    dense, int8 = two_candidates().candidates
    against = Difference(value=-0.0046, interval=(-0.012, 0.003), p=0.25, agreement=0.985)
    quality = Quality(0.9, "accuracy", 872, "sst2/dev", (0.88, 0.92), against, {"Matthews correlation": 0.8})
    known = replace(int8, quality=quality, parameters=22_713_986, macs_per_token=10_616_832, made_in_s=81.3)
    written = report(dense, known)
    page = write_report(written, tmp_path).read_text()
    assert "<td>0.8</td><td>-0.46 (-1.2..+0.3)</td><td>0.25</td><td>98.5%</td><td>22,713,986</td>" in page
    assert read_report(tmp_path / REPORT_FILE) == written
    with (tmp_path / "summary.csv").open(newline="") as stream:
        other, row = csv.DictReader(stream)
    assert (row["matthews_correlation"], other["matthews_correlation"]) == ("0.8", "")
    assert (row["quality_low"], row["against_dense"], row["against_dense_p"]) == ("0.88", "-0.0046", "0.25")
    assert (row["agreement_with_dense"], row["macs_per_token"], row["made_in_s"]) == ("0.985", "10616832", "81.3")


def test_candidates_need_different_names() -> None:
    twin = candidate("a@torch", [level(8)])
    with pytest.raises(LoadTestError, match="a different name for each"):
        report(twin, twin)
