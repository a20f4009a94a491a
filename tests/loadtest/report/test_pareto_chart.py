from dataclasses import replace

import pytest

from loadtest.results.comparison import Quality
from tests.loadtest.examples import candidate, level, report
from tests.loadtest.report.drawn import charts_of, lines_of
from tests.loadtest.report.example_campaign import example_campaign


def test_pareto_front_is_a_line_and_beaten_candidates_are_hollow() -> None:
    points = {"a@x": (10.0, 0.80), "b@x": (20.0, 0.95), "c@x": (40.0, 0.70)}
    made = []
    for name, (p95_ms, value) in points.items():
        quality = Quality(value, "accuracy", 872, "sst2", (value - 0.01, value + 0.01))
        made.append(replace(candidate(name, [level(8, p95_ms=p95_ms), level(16)]), quality=quality))
    figure = charts_of(replace(report(*made), max_drop=0.3))["quality"].figure
    (front_x, front_y, _), *_ = lines_of(figure)
    assert front_x[:2] == pytest.approx([10.0, 20.0])
    assert front_y == pytest.approx([80.0, 95.0, 95.0])
    assert {text.get_text() for text in figure.axes[0].texts} == set(points)


@pytest.mark.parametrize("count", [2, 4, 5])
def test_labels_of_close_candidates_do_not_cover_each_other_and_stay_inside(count: int) -> None:
    compared = report(
        *(candidate(f"v{n}@torch", [level(8, p95_ms=10.0 + n / 10)], 0.9 + n / 5000) for n in range(count))
    )
    (axes,) = charts_of(compared)["quality"].figure.axes
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == count
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
    frame = axes.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_many_candidates_have_a_legend_instead_of_labels() -> None:
    compared = report(*(candidate(f"v{n}@torch", [level(8, p95_ms=10.0 + n)], 0.9) for n in range(9)))
    figure = charts_of(compared)["quality"].figure
    assert not figure.axes[0].texts
    assert len(figure.legends[0].get_texts()) == 9


def test_no_axis_of_an_accuracy_goes_beyond_what_a_share_can_be() -> None:
    (axes,) = charts_of(report(candidate("a@x", [level(8)], 0.999), candidate("b@x", [level(8)], 1.0)))[
        "quality"
    ].figure.axes
    assert axes.get_ylim()[1] == 100.0


def test_both_measures_have_their_intervals() -> None:
    first = example_campaign().candidates[0]
    assert first.quality is not None
    assert first.quality.interval is not None
    lines = lines_of(charts_of(example_campaign())["quality"].figure)
    low, high = first.quality.interval
    assert any(y == pytest.approx([100 * low, 100 * high]) for _, y, _ in lines if len(y) == 2)


def test_the_axis_names_the_metric_and_has_its_scale() -> None:
    points = {"a@x": 0.61, "b@x": 0.58}
    compared = report(*(candidate(name, [level(8)], value, "Matthews correlation") for name, value in points.items()))
    chart = charts_of(compared)["quality"]
    (axes,) = chart.figure.axes
    assert chart.title == "Matthews correlation against response time"
    assert axes.get_title(loc="left") == "Matthews correlation"
    low, high = axes.get_ylim()
    assert low < 0.58 < 0.61 < high < 0.65


def test_an_accuracy_is_read_in_percent() -> None:
    (axes,) = charts_of(report(candidate("a@x", [level(8)], 0.9)))["quality"].figure.axes
    assert (axes.get_title(loc="left"), axes.get_ylim()) == ("accuracy, %", (89.5, 90.5))
