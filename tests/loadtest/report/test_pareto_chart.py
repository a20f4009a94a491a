from loadtest.report.chart_style import chart_style
from loadtest.report.pareto_chart import pareto_chart
from tests.loadtest.examples import candidate, level, report
from tests.loadtest.report.test_charts import lines_of


def test_pareto_front_is_a_line_and_beaten_candidates_are_off_it() -> None:
    points = {"a@x": (10.0, 0.9), "b@x": (20.0, 0.95), "c@x": (15.0, 0.85)}
    compared = report(*(candidate(name, [level(8, p95_ms=p)], a) for name, (p, a) in points.items()))
    with chart_style():
        chart = pareto_chart(compared)
    (front_x, front_y, _), *_ = lines_of(chart)
    assert front_x[:2] == [10.0, 20.0]
    assert front_y == [90.0, 95.0, 95.0]
    assert {text.get_text() for text in chart.figure.axes[0].texts} == set(points)


def test_labels_of_close_candidates_do_not_cover_each_other() -> None:
    compared = report(*(candidate(f"v{n}@torch", [level(8, p95_ms=10.0 + n / 10)], 0.9 + n / 5000) for n in range(4)))
    with chart_style():
        chart = pareto_chart(compared)
        boxes = [text.get_window_extent() for text in chart.figure.axes[0].texts]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_the_axis_names_the_metric_and_has_its_scale() -> None:
    points = {"a@x": 0.61, "b@x": 0.58}
    compared = report(*(candidate(name, [level(8)], value, "Matthews correlation") for name, value in points.items()))
    with chart_style():
        chart = pareto_chart(compared)
    (axes,) = chart.figure.axes
    assert chart.title == "Matthews correlation against response time"
    assert axes.get_ylabel() == "Matthews correlation"
    low, high = axes.get_ylim()
    assert low < 0.58 < 0.61 < high < 0.65


def test_an_accuracy_is_read_in_percent() -> None:
    with chart_style():
        (axes,) = pareto_chart(report(candidate("a@x", [level(8)], 0.9))).figure.axes
    assert (axes.get_ylabel(), axes.get_ylim()) == ("accuracy, %", (89.5, 90.5))
