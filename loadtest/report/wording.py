"""Numbers as readers see them: figures, and the quality of a candidate by whatever metric its task has."""

from collections.abc import Iterable, Sequence

from loadtest.results.comparison import Quality
from loadtest.results.threshold import Threshold

MISSING = "\N{EN DASH}"

# Metrics that are a share of the examples; they are read in percent.
SHARES = frozenset({"accuracy"})


def number(value: float | None) -> str:
    """Three significant digits, never in powers of ten; a dash for nothing."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def whole(value: float | None) -> str:
    """A count, without decimals; a dash for nothing."""
    return MISSING if value is None else f"{value:,.0f}"


def threshold_text(threshold: Threshold, unit: str = "") -> str:
    """The number of users with the interval behind it: 52 (49..55); a bound as it is. The unit stands in between."""
    low, high = threshold.interval
    text = f"{threshold.text} {unit}".rstrip()
    if threshold.at is None or low is None or high is None:
        return text
    return f"{text} ({low:.0f}..{high:.0f})"


def quality_text(quality: Quality | None, decimals: int = 1) -> str:
    """The value alone: 90.0% of an accuracy, three digits of any other metric."""
    if quality is None:
        return MISSING
    return f"{quality.value:.{decimals}%}" if quality.metric in SHARES else number(quality.value)


def interval_text(quality: Quality | None) -> str:
    """The value with the interval behind it: 90.14% (88.0..91.9)."""
    value = quality_text(quality, decimals=2)
    if quality is None or quality.interval is None:
        return value
    low, high = quality.interval
    return f"{value} ({100 * low:.1f}..{100 * high:.1f})"


def further_names(qualities: Iterable[Quality | None]) -> tuple[str, ...]:
    """What was measured of any of them besides the metric."""
    return tuple(dict.fromkeys(name for quality in qualities if quality for name in quality.further))


def further_texts(quality: Quality | None, names: Sequence[str]) -> tuple[str, ...]:
    """Of each name the value; a dash where it was not measured."""
    return tuple(number(quality.further.get(name) if quality else None) for name in names)


def difference_texts(quality: Quality | None) -> tuple[str, str, str]:
    """What it has more than dense in points, -0.46 (-1.4..+0.5); p; the share of same answers."""
    if quality is None or quality.against_dense is None:
        return MISSING, MISSING, MISSING
    found = quality.against_dense
    low, high = found.interval
    points = f"{100 * found.value:+.2f} ({100 * low:+.1f}..{100 * high:+.1f})"
    return points, f"{found.p:.2g}" if found.p >= 0.001 else "< 0.001", f"{found.agreement:.1%}"


def quality_change(base: Quality | None, other: Quality | None) -> str:
    """How much more or less `base` has than `other`; empty where they cannot be compared.

    Reads on from a sentence: " at 0.2 points less accuracy", " at 0.013 more Matthews correlation".
    """
    if base is None or other is None or base.metric != other.metric:
        return ""
    metric, difference = base.metric, base.value - other.value
    if abs(difference) < 0.05 * one_point((base.value, other.value)):
        return f" at the same {metric}"
    amount = f"{100 * abs(difference):.1f} points" if metric in SHARES else number(abs(difference))
    return f" at {amount} {'more' if difference > 0 else 'less'} {metric}"


def one_point(values: Iterable[float]) -> float:
    """A hundredth of the metric's scale: 0.01 for shares and correlations, 1 where values are given in percent."""
    return 1.0 if max(map(abs, values)) > 1 else 0.01
