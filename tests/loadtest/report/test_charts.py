from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from loadtest.report.chart_parts import Chart
from loadtest.report.chart_style import chart_style, to_inline, to_png, to_svg
from loadtest.report.charts import draw_charts, response_chart, unserved_chart
from loadtest.results.comparison import Report
from loadtest.statistics.repeats import threshold_over
from tests.loadtest.examples import candidate, level, report, two_candidates


def _svgs(compared: Report) -> dict[str, str]:
    with chart_style():
        return {c.name: to_svg(c.figure, c.name, c.title, c.description) for c in draw_charts(compared)}


def lines_of(chart: Chart, panel: int = 0) -> list[tuple[list[float], list[float], str]]:
    lines = chart.figure.axes[panel].get_lines()
    return [
        (list(map(float, np.asarray(x))), list(map(float, np.asarray(y))), str(line.get_linestyle()))
        for line in lines
        for x, y in [line.get_data()]
    ]


def test_same_report_gives_the_same_bytes() -> None:
    assert _svgs(two_candidates()) == _svgs(two_candidates())


def test_png_is_the_same_again() -> None:
    with chart_style():
        assert to_png(draw_charts(two_candidates())[0].figure) == to_png(draw_charts(two_candidates())[0].figure)


@pytest.mark.parametrize("place", range(4))
def test_chart_is_well_formed_with_title_and_description(place: int) -> None:
    name, svg = list(_svgs(two_candidates()).items())[place]
    root = ET.fromstring(svg)  # noqa: S314 - our own document
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("aria-labelledby") == f"{name}-title {name}-desc"
    texts = [child.text for child in root if child.tag in (f"{space}title", f"{space}desc")]
    assert len(texts) == 2
    assert all(texts)


def test_axes_state_units_and_think_time() -> None:
    with chart_style():
        axes = response_chart(two_candidates()).figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("users (mean think time 0.1 s)", "response time, ms")


def test_lines_are_solid_up_to_the_threshold_and_dashed_beyond() -> None:
    with chart_style():
        solid, dashed = lines_of(response_chart(two_candidates()), panel=1)[:2]
    assert solid == ([16.0, 32.0, 50.0], [40.0, 62.0, 90.0], "-")
    assert dashed == ([50.0, 54.0], [90.0, 99.0], "--")


def test_threshold_is_marked_where_it_is() -> None:
    with chart_style():
        marks = [
            (users, style) for users, heights, style in lines_of(unserved_chart(two_candidates())) if heights[-1] == 1
        ]
    threshold = threshold_over(two_candidates().candidates[0].runs)
    assert ([threshold.at], "-") in marks
    assert (list(threshold.interval), "-") in marks


def test_rejection_line_meets_the_limit_where_the_threshold_is_marked() -> None:
    with chart_style():
        (users, percents, _) = lines_of(unserved_chart(two_candidates()))[1]
    assert np.interp(1.0, percents, users) == pytest.approx(52.0, rel=0.02)
    assert min(abs(count - 52.0) for count in users) < 0.5


def test_threshold_line_stands_at_the_share_asked_for() -> None:
    with chart_style():
        heights = [y for _, y, _ in lines_of(unserved_chart(two_candidates()))]
    assert [1.0, 1.0] in heights


def test_levels_without_p95_are_left_out() -> None:
    sparse = report(candidate("a@torch", [level(1, p95_ms=None), level(2, p95_ms=12.0), level(4, p95_ms=14.0)]))
    with chart_style():
        assert lines_of(response_chart(sparse), panel=1)[0][0] == [2.0, 4.0]


def test_without_a_quality_there_is_no_chart_of_it() -> None:
    assert list(_svgs(report(candidate("a@torch", [level(8)], None)))) == [
        "response-time",
        "unserved-share",
        "throughput",
    ]


def test_names_that_look_like_markup_stay_text() -> None:
    svgs = _svgs(report(candidate("<script>alert(1)</script>@x", [level(8)])))
    assert not [name for name, svg in svgs.items() if "<script" in svg]


def test_inlined_charts_share_no_id_and_load_nothing(tmp_path: Path) -> None:
    inlined = [to_inline(svg, name) for name, svg in _svgs(two_candidates()).items()]
    roots = [ET.fromstring(text) for text in inlined]  # noqa: S314 - our own document
    ids = [element.get("id") for root in roots for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for root in roots:
        own = {f"#{element.get('id')}" for element in root.iter()}
        links = {element.get("{http://www.w3.org/1999/xlink}href") for element in root.iter()} - {None}
        assert links <= own
        assert "width" not in root.attrib
