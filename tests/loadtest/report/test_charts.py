from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from matplotlib.patches import Rectangle

from loadtest.report.chart_style import chart_style, to_png, to_svg
from loadtest.report.charts import draw_charts
from loadtest.report.inline_svg import to_inline
from loadtest.results.comparison import Report, Run
from loadtest.statistics.repeats import threshold_over
from tests.loadtest.examples import candidate, level, report, two_candidates
from tests.loadtest.report.drawn import bars_of, charts_of, hollow_of, lines_of, texts_of
from tests.loadtest.report.example_campaign import example_campaign

ALWAYS = {"unserved-share", "throughput", "generator", "response-time", "response-time-median", "latency-throughput"}


def _svgs(compared: Report) -> dict[str, str]:
    with chart_style():
        return {c.name: to_svg(c.figure, c.name, c.title, c.description) for c in draw_charts(compared)}


def test_same_report_gives_the_same_bytes() -> None:
    assert _svgs(two_candidates()) == _svgs(two_candidates())


def test_png_is_the_same_again() -> None:
    with chart_style():
        assert to_png(draw_charts(two_candidates())[0].figure) == to_png(draw_charts(two_candidates())[0].figure)


def test_a_whole_campaign_has_every_chart() -> None:
    further = {"thresholds", "rates", "quality", "cost", "phases", "staircase"}
    assert set(charts_of(example_campaign())) == ALWAYS | further


def test_a_chart_is_left_out_where_the_data_lack_it() -> None:
    bare = report(candidate("a@torch", [level(8, phases_ms={}), level(16, phases_ms={})], None))
    assert set(charts_of(bare)) == ALWAYS | {"thresholds"}
    assert (
        charts_of(report(replace(candidate("a@torch", [level(8)]), runs=(Run(0, 0, "", failure="It ended."),)))) == {}
    )


def test_every_chart_is_well_formed_with_title_and_description() -> None:
    space = "{http://www.w3.org/2000/svg}"
    for name, svg in _svgs(example_campaign()).items():
        root = ET.fromstring(svg)  # noqa: S314 - our own document
        assert root.get("aria-labelledby") == f"{name}-title {name}-desc"
        texts = [child.text for child in root if child.tag in (f"{space}title", f"{space}desc")]
        assert len(texts) == 2
        assert all(texts)


def test_axes_state_units_and_think_time() -> None:
    (axes,) = charts_of(two_candidates())["response-time"].figure.axes
    assert (axes.get_xlabel(), axes.get_title(loc="left")) == ("users (mean think time 0.1 s)", "p95 response time, ms")


def test_a_line_ends_behind_the_threshold_and_further_levels_are_points() -> None:
    levels = [level(16, p95_ms=40.0), level(50, 0.005, p95_ms=90.0), level(54, 0.02, p95_ms=99.0), level(80, 0.4)]
    figure = charts_of(report(candidate("a@torch", levels)))["response-time"].figure
    joined = [x for x, _, style in lines_of(figure) if style == "-" and len(x) > 1]
    assert joined == [[16.0, 50.0, 54.0]]


def test_a_doubted_level_is_hollow_and_joined_to_nothing() -> None:
    levels = [level(8, p95_ms=20.0), level(16, p95_ms=90.0, doubts=("it drifted.",)), level(32, p95_ms=30.0)]
    figure = charts_of(report(candidate("a@torch", levels)))["response-time"].figure
    assert lines_of(figure)[0][0] == [8, 32]
    assert hollow_of(figure) == [([16.0], [90.0])]


def test_between_levels_far_apart_stands_a_hatched_box_and_no_line() -> None:
    levels = [level(8, p95_ms=20.0), level(16, 0.3, p95_ms=50.0)]
    compared = report(candidate("a@torch", levels))
    assert threshold_over(compared.candidates[0].runs).at is None
    figure = charts_of(compared)["response-time"].figure
    (box,) = [one for one in figure.axes[0].patches if isinstance(one, Rectangle) and one.get_hatch()]
    assert (box.get_x(), box.get_width(), box.get_y(), box.get_height()) == (8, 8, 20.0, 30.0)
    assert not [x for x, _, _ in lines_of(figure) if len(x) > 1]


def test_where_all_throttle_is_grey_and_only_there() -> None:
    held = report(candidate("a@torch", [level(8), level(16)]), candidate("b@torch", [level(8), level(16, 0.3)]))
    bad = report(candidate("a@torch", [level(8), level(16, 0.3), level(32, 0.9)]))
    assert _grey(held) == []
    assert _grey(bad) == [16]


def _grey(compared: Report) -> list[float]:
    """From where on there is grey."""
    patches = charts_of(compared)["throughput"].figure.axes[0].patches
    return [one.get_x() for one in patches if isinstance(one, Rectangle) and not one.get_hatch()]


def test_several_runs_are_one_point_with_a_bar_from_the_least_to_the_greatest() -> None:
    first, second = (candidate("a@torch", [level(8, p95_ms=p95)]).runs[0] for p95 in (20.0, 30.0))
    compared = report(replace(candidate("a@torch", [level(8)]), runs=(first, replace(second, block=1))))
    figure = charts_of(compared)["response-time"].figure
    assert bars_of(figure) == [[[8.0, 20.0], [8.0, 30.0]]]
    assert [y for x, y, _ in lines_of(figure) if x == [8.0]] == [[25.0], [25.0]]


def test_the_objective_and_the_queue_deadline_are_drawn_where_the_points_are() -> None:
    close = replace(example_campaign(), queue_deadline_s=0.06)
    heights = {tuple(y) for _, y, _ in lines_of(charts_of(close)["response-time"].figure)}
    assert (60.0, 60.0) in heights
    assert (200.0, 200.0) not in heights
    assert "Far above: objective p95=200ms." in charts_of(close)["response-time"].reading


def test_the_limit_stands_at_the_share_asked_for() -> None:
    heights = [y for _, y, _ in lines_of(charts_of(two_candidates())["unserved-share"].figure)]
    assert [1.0, 1.0] in heights


def test_the_forest_has_each_candidate_the_canary_and_every_block() -> None:
    compared = example_campaign()
    figure = charts_of(compared)["thresholds"].figure
    names = [one.name for one in compared.candidates]
    assert {*names, "dense@onnxruntime again (canary)"} <= texts_of(figure)
    singles = [run.threshold.at for run in compared.candidates[0].runs if run.threshold]
    assert [x for x, y, _ in lines_of(figure) if len(x) == 3 and y[0] == pytest.approx(0.27)] == [singles]


def test_phases_stack_up_to_the_mean_of_the_answers() -> None:
    compared = example_campaign()
    (axes,) = charts_of(compared)["phases"].figure.axes
    bars = [one for one in axes.patches if isinstance(one, Rectangle)]
    ends = {
        round(one.get_y(), 2): max(b.get_x() + b.get_width() for b in bars if b.get_y() == one.get_y()) for one in bars
    }
    rates = [run.common_rate.mean_ms for run in compared.candidates[0].runs if run.common_rate]
    assert min(ends.items())[1] == pytest.approx(sum(one or 0 for one in rates) / 3)


def test_levels_without_p95_are_left_out() -> None:
    sparse = report(candidate("a@torch", [level(1, p95_ms=None), level(2, p95_ms=12.0), level(4, p95_ms=14.0)]))
    assert lines_of(charts_of(sparse)["response-time"].figure)[0][0] == [2.0, 4.0]


def test_names_that_look_like_markup_stay_text() -> None:
    svgs = _svgs(report(candidate("<script>alert(1)</script>@x", [level(8)])))
    assert not [name for name, svg in svgs.items() if "<script" in svg]


def test_inlined_charts_share_no_id_load_nothing_and_have_no_heading() -> None:
    charts = charts_of(example_campaign())
    inlined = [to_inline(svg, name, 72 * charts[name].heading_in) for name, svg in _svgs(example_campaign()).items()]
    roots = [ET.fromstring(text) for text in inlined]  # noqa: S314 - our own document
    ids = [element.get("id") for root in roots for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for root in roots:
        own = {f"#{element.get('id')}" for element in root.iter()}
        links = {element.get("{http://www.w3.org/1999/xlink}href") for element in root.iter()} - {None}
        assert links <= own
        assert "width" not in root.attrib
        shown = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert not {chart.title for chart in charts.values()} & set(shown)


def test_inlined_charts_have_no_colour_of_their_own() -> None:
    for name, svg in _svgs(example_campaign()).items():
        styles = "".join(part.split(">")[0] for part in to_inline(svg, name).split("style="))
        assert "#" not in styles.replace("url(#", "").replace('href="#', "")
