from loadtest.report.chart_style import COLOURS, MARKERS, colour_of, marker_of


def test_candidates_differ_in_colour_or_marker_up_to_the_number_that_the_palettes_allow() -> None:
    most = len(COLOURS) * len(MARKERS)
    pairs = [(colour_of(place), marker_of(place)) for place in range(most)]
    assert len(set(pairs)) == most == 56
    assert (colour_of(most), marker_of(most)) == pairs[0]


def test_neighbours_differ_in_both() -> None:
    for place in range(20):
        assert colour_of(place) != colour_of(place + 1)
        assert marker_of(place) != marker_of(place + 1)
