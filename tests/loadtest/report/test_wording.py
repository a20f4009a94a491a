import pytest

from loadtest.report.wording import number, one_point, quality_change, quality_text
from loadtest.results.comparison import Quality


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\N{EN DASH}"), (0.0123, "0.0123"), (3.14159, "3.14"), (99.96, "100"), (12345.6, "12,346")],
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("quality", "text"),
    [
        (None, "\N{EN DASH}"),
        (Quality(0.9, "accuracy"), "90.0%"),
        (Quality(88.53, "F1"), "88.5"),
        (Quality(-0.0213, "Matthews correlation"), "-0.0213"),
    ],
)
def test_a_quality_is_told_on_the_scale_of_its_metric(quality: Quality | None, text: str) -> None:
    assert quality_text(quality) == text


@pytest.mark.parametrize(
    ("base", "other", "text"),
    [
        (Quality(0.9, "accuracy"), Quality(0.902, "accuracy"), " at 0.2 points less accuracy"),
        (Quality(0.9, "accuracy"), Quality(0.9004, "accuracy"), " at the same accuracy"),
        (
            Quality(0.61, "Matthews correlation"),
            Quality(0.58, "Matthews correlation"),
            " at 0.03 more Matthews correlation",
        ),
        (Quality(88.5, "F1"), Quality(88.54, "F1"), " at the same F1"),
        (Quality(88.5, "F1"), Quality(90.0, "F1"), " at 1.5 less F1"),
        (Quality(88.5, "F1"), Quality(0.9, "accuracy"), ""),
        (None, Quality(0.9, "accuracy"), ""),
    ],
)
def test_a_change_names_the_metric(base: Quality | None, other: Quality | None, text: str) -> None:
    assert quality_change(base, other) == text


def test_a_point_is_a_hundredth_of_the_scale() -> None:
    assert one_point([0.9, -0.2]) == 0.01
    assert one_point([0.9, 88.5]) == 1.0
