from paretoserve.terminal.sparkline import sparkline


def test_bars_reach_from_the_least_to_the_largest_value() -> None:
    assert sparkline([0.5, 0.6, 0.9, 1.2]) == "▁▂▅█"


def test_values_that_are_all_the_same_are_a_flat_line() -> None:
    assert sparkline([0.7, 0.7]) == "▁▁"


def test_of_many_values_some_are_shown_the_first_and_the_last_among_them() -> None:
    line = sparkline(list(range(1000)), width=8)
    assert line == "▁▂▃▄▅▆▇█"
