import pytest

from loadtest.report.chart_style import COLOURS, DARK_COLOURS, MARKERS, colour_of, marker_of

LIGHT_PAPERS, DARK_PAPERS = ("#ffffff", "#f1f3f5"), ("#0d1117", "#1a2028")


def _light(colour: str) -> float:
    """Relative luminance, of the Web Content Accessibility Guidelines 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("colour", "paper"),
    [
        *((colour, paper) for colour in COLOURS for paper in LIGHT_PAPERS),
        *((colour, paper) for colour in DARK_COLOURS for paper in DARK_PAPERS),
    ],
)
def test_every_colour_stands_out_from_its_paper_and_from_grey_regions(colour: str, paper: str) -> None:
    assert _contrast(colour, paper) >= 3


def test_dark_paper_has_a_colour_for_each_of_light_paper() -> None:
    assert len(set(DARK_COLOURS)) == len(set(COLOURS)) == len(COLOURS)


def test_candidates_differ_in_colour_or_marker_up_to_the_number_that_the_palettes_allow() -> None:
    most = len(COLOURS) * len(MARKERS)
    pairs = [(colour_of(place), marker_of(place)) for place in range(most)]
    assert len(set(pairs)) == most == 56
    assert (colour_of(most), marker_of(most)) == pairs[0]


def test_neighbours_differ_in_both() -> None:
    for place in range(20):
        assert colour_of(place) != colour_of(place + 1)
        assert marker_of(place) != marker_of(place + 1)
