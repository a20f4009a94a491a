"""Numbers as readers see them: figures, and the quality of a candidate by whatever metric its task has."""

from collections.abc import Iterable, Sequence

from loadtest.results.comparison import Difference, Quality, Report
from loadtest.results.threshold import Threshold
from loadtest.statistics.bounds import Bounds
from loadtest.statistics.cost import Cost
from loadtest.statistics.ratios import Ratio

MISSING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"

# An estimate between levels farther apart than this would be the curve's and not the measurement's.
_NARROW = 1.3

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


def interval_of(interval: tuple[float | None, float | None] | None) -> str:
    """Both ends, to put behind a number: " (49..55)"; an end that is not bounded is open; nothing without either."""
    low, high = interval or (None, None)
    if low is None and high is None:
        return ""
    return f" ({'' if low is None else number(low)}..{'' if high is None else number(high)})"


def is_bracket(threshold: Threshold) -> bool:
    """Whether it is only known to lie between two levels that are far from each other."""
    low, high = threshold.bracket
    if low is None or high is None:
        return False
    return threshold.at is None or (threshold.interval == (None, None) and high > _NARROW * low)


def threshold_text(threshold: Threshold, unit: str = "") -> str:
    """The number of users with the interval behind it: 52 (49..55); a bound as it is. The unit stands in between."""
    if is_bracket(threshold):
        low, high = threshold.bracket
        return f"{number(low)}{MISSING}{number(high)} {unit}".rstrip()
    text, (low, high) = f"{threshold.text} {unit}".rstrip(), threshold.interval
    if threshold.at is None or (low is None and high is None):
        return text
    # As many digits as the estimate itself has.
    low_text, high_text = (
        "" if end is None else f"{end:.0f}" if threshold.at >= 10 else number(end) for end in (low, high)
    )
    return f"{text} ({low_text}..{high_text})"


def ratio_text(ratio: Ratio | None) -> str:
    """1.22 x (1.18..1.26); a dash where it is not known."""
    if ratio is None:
        return MISSING
    low, high = ratio.interval
    return f"{times_text(ratio)} ({_hundredths(low)}..{_hundredths(high)})"


def times_text(ratio: Ratio) -> str:
    """1.22 x, without its interval."""
    return f"{_hundredths(ratio.value)} {TIMES}"


def bounds_text(bounds: Bounds | None) -> str:
    """At least 1.67 x, or at most; a dash where it may be either more or less."""
    if bounds is None or not bounds.is_clear:
        return MISSING
    least, most = bounds
    if least is not None and least > 1:
        return f"at least {_hundredths(least)} {TIMES}"
    return f"at most {_hundredths(most)} {TIMES}"


def _hundredths(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio < 10 else number(ratio)


def points_text(difference: Difference) -> str:
    """In points of a hundredth: -0.46 (-1.4..+0.5)."""
    low, high = difference.interval
    return f"{100 * difference.value:+.2f} ({100 * low:+.1f}..{100 * high:+.1f})"


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
    return points_text(found), f"{found.p:.2g}" if found.p >= 0.001 else "< 0.001", f"{found.agreement:.1%}"


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


def report_metric(report: Report) -> str | None:
    """The metric that candidates are compared by, which is that of the first one with a quality."""
    return next((candidate.quality.metric for candidate in report.candidates if candidate.quality), None)


def metrics_of(report: Report) -> str:
    """Every metric of the report, for a heading."""
    return " / ".join(sorted({one.quality.metric for one in report.candidates if one.quality})) or "quality"


def cost_text(cost: Cost | None) -> str:
    """1.23 (1.1..1.4); a dash without a price."""
    if cost is None or cost.per_million is None:
        return MISSING
    return f"{number(cost.per_million)}{interval_of(cost.per_million_interval)}"
