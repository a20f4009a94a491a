"""When a level has been watched long enough, and whether it was steady.

A window is cut into slices of time, and a line is fitted to the slices' mean logarithm of the response time. In a queue
most of its scatter is that of the requests found waiting, and slow: it would take minutes to see a change of a third.
So the logarithm of the requests in flight when each request was due is taken out first, with the slope found within
slices (a covariate, as in Lavenberg and Welch, "A Perspective on the Use of Control Variables to Increase the
Efficiency of Monte Carlo Simulations", Management Science 27, 1981). What remains changes when the server does. With
closed-loop users, whose number and pauses are fixed, it is also what their throughput changes with.

A window is steady where that change is small, and known well. The response time as it is, throughput, the share of slow
answers and the unserved share are fitted alike, but scatter so much that only a change beyond doubt counts. After a
window that was not steady a new one begins; each such further chance is held to a narrower limit, as chance alone
passes one of several.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadtest.plan.settings import Campaign
from loadtest.results.levels import Window
from loadtest.results.records import RequestRow, rows_since
from loadtest.results.visits import Slice
from loadtest.statistics.sequential import settled

Floats = NDArray[np.float64]

SLICES, _LEAST_SLICES, _LEAST_IN_SLICE = 12, 4, 8

# Changes of a logarithm over a window: the largest that is steady in the first window, and in further ones.
TOLERANCE, LATER_TOLERANCE, MOST_WINDOWS = 0.14, 0.09, 3

# How well the change must be known (a standard error): to end, and when the time is up.
KNOWN, KNOWN_AT_END = 0.08, 0.15

# So many times `max_dwell_s` a level is watched where it can be told by then and not before; and how many errors a
# change must be beyond what is steady to be no chance (one of twenty, one-sided).
PATIENCE, CLEARLY = 2.0, 1.64

# Of the other measures: the t-statistic that is beyond doubt (p = 0.001 with ten degrees of freedom), and the smallest
# change that matters, of the throughput by its mean and of a share of the requests.
_BEYOND_DOUBT, _LEAST_RATE, _LEAST_SHARE = 4.6, 0.14, 0.02

_SLOW_PERCENT = 90

# Of the requests due in a window of the open loop: how many more may be under way at its end than at its begin; and
# how many deviations of a Poisson number that is at least.
_LEAST_PILE, _PILE_BEYOND_DOUBT = 0.05, 3.0


class Change(NamedTuple):
    """Of something over a window, and its standard error."""

    value: float
    error: float

    @property
    def is_beyond_doubt(self) -> bool:
        return abs(self.value) > _BEYOND_DOUBT * self.error


@dataclass(frozen=True, slots=True)
class Dwell:
    """The state of a level that is being watched, since `begin_s`. The window so far begins at `start_s`."""

    begin_s: float
    start_s: float
    windows_before: int = 0
    """That were not steady."""
    unsteady: str = ""
    """Why the last window was not steady, in a sentence."""
    is_over: bool = False


def begin(now_s: float) -> Dwell:
    """A level that has settled."""
    return Dwell(now_s, now_s)


def watched(campaign: Campaign, rows: Sequence[RequestRow], dwell: Dwell, now_s: float) -> Dwell:
    """What is known of the level now; `rows` are all of the visit, in the order of their answers.

    Where it cannot be told when its time is up, though chance is enough to explain what was seen, it is watched on, up
    to `PATIENCE` times as long: to refuse it would cost another visit. The speed of a shared machine wanders, so that
    takes its time at any rate of requests: a change is known to 0.2 by the root of the seconds, where it wanders by a
    tenth from one third of a second to the next, and a verdict is possible after six.

    It is over when it is steady, when its time is up, or, on the way to a threshold, when it is hopeless beyond doubt:
    then how many it does not serve is all that matters, and it need not be known that it was steady, only not seem
    otherwise.
    """
    window, is_last = Window(dwell.start_s, now_s), now_s >= dwell.begin_s + campaign.max_dwell_s
    seconds = seconds_of(rows, window)
    found = settled(seconds, campaign.reject_threshold)
    if found == "hopeless" and not campaign.exact_levels and not _seems_to_change(campaign, rows, window):
        return replace(dwell, is_over=True)
    # A level that is clean beyond doubt need not be watched for its unserved share.
    least_s = campaign.min_dwell_s / 2 if found == "clean" else campaign.min_dwell_s
    if not is_last and (window.duration_s < least_s or sum(one.attempts for one in seconds) < campaign.min_attempts):
        return dwell
    return _judged(campaign, rows, dwell, window, is_last=is_last)


def _seems_to_change(campaign: Campaign, rows: Sequence[RequestRow], window: Window) -> bool:
    """Whether the response time would change by more than is steady, went it on like that for `min_dwell_s`."""
    change = response_change(rows, window)
    return change is not None and abs(change.value) * campaign.min_dwell_s > LATER_TOLERANCE * window.duration_s


def _judged(campaign: Campaign, rows: Sequence[RequestRow], dwell: Dwell, window: Window, *, is_last: bool) -> Dwell:
    change = response_change(rows, window)
    late_s = dwell.begin_s + PATIENCE * campaign.max_dwell_s
    if change is None or change.error > (KNOWN_AT_END if is_last else KNOWN):
        if not is_last or (change and _known_at_s(window, change) <= late_s):
            return dwell
        return replace(dwell, unsteady=dwell.unsteady or _unsure(campaign, rows, window), is_over=True)
    tolerance = LATER_TOLERANCE if dwell.windows_before else TOLERANCE
    reason = why_unsteady(rows, window, change, tolerance)
    if not reason:
        return replace(dwell, unsteady="", is_over=True)
    beyond = abs(change.value) - tolerance
    if change.error > KNOWN and 0 < beyond <= CLEARLY * change.error and window.t_end_s < late_s:
        # To refuse it now would cost another visit, and chance makes such a change.
        return dwell
    windows = dwell.windows_before + 1
    has_time = window.t_end_s + campaign.min_dwell_s <= dwell.begin_s + campaign.max_dwell_s
    if windows == MOST_WINDOWS or not has_time:
        return replace(dwell, unsteady=reason, is_over=True)
    return replace(dwell, unsteady=reason, windows_before=windows, start_s=window.t_end_s)


def _known_at_s(window: Window, change: Change) -> float:
    """When a change that scatters too much will be known well enough to judge it when the time is up.

    Its error falls with the root of the duration.
    """
    return window.t_start_s + window.duration_s * (change.error / KNOWN_AT_END) ** 2


def _unsure(campaign: Campaign, rows: Sequence[RequestRow], window: Window) -> str:
    """Why it cannot be said, though its time is up. Few requests are enough where they are alike."""
    count = len(_inside(rows, window))
    if count < campaign.min_attempts:
        return f"it had only {count} requests in {window.duration_s:g} s."
    return "its response time scattered too much to say whether it was steady."


def why_unsteady(rows: Sequence[RequestRow], window: Window, response: Change | None, tolerance: float) -> str:
    """What changed within the window, in a sentence; empty where nothing did.

    `response` is its `response_change`, or None where that is not known well enough.
    """
    whole = response_change(rows, window, is_whole=True)
    changed = [response] if response and abs(response.value) > tolerance else []
    if whole and whole.is_beyond_doubt and abs(whole.value) > tolerance:
        changed = [whole, *changed]
    if whole and changed:
        # As it was seen, unless that is the opposite, by chance.
        seen = whole if whole.value * changed[0].value > 0 else changed[0]
        return f"the response time {_by(float(np.expm1(seen.value)))} while it was measured."
    inside = _inside(rows, window)
    done_s = np.array([row.t_done_s for row in inside])
    ok = np.array([row.outcome == "ok" for row in inside], dtype=bool)
    rate = _rate_change(done_s, window)
    if rate.is_beyond_doubt and abs(rate.value) > _LEAST_RATE:
        return f"the throughput {_by(rate.value)} while it was measured."
    unserved = _share_change(done_s, ~ok, window)
    if unserved.is_beyond_doubt and abs(unserved.value) > _LEAST_SHARE:
        return f"the unserved share {_by(unserved.value)} of the requests while it was measured."
    times = np.array([row.response_ms for row in inside])[ok]
    slow = _share_change(done_s[ok], times > np.percentile(times, _SLOW_PERCENT), window) if ok.any() else None
    if slow and slow.is_beyond_doubt and abs(slow.value) > _LEAST_SHARE:
        return f"the share of slow answers {_by(slow.value)} of the requests while it was measured."
    return ""


def _inside(rows: Sequence[RequestRow], window: Window) -> list[RequestRow]:
    return [row for row in rows_since(rows, window.t_start_s) if row.t_done_s < window.t_end_s]


def why_unsteady_at_rate(rows: Sequence[RequestRow], window: Window) -> str:
    """What changed within a window of the open loop, in a sentence; empty where nothing did, as far as can be known.

    Its users are not limited in number, so requests may pile up: then fewer are over than were due.
    """
    due = sum(window.t_start_s <= row.t_due_s < window.t_end_s for row in rows)
    done = [row for row in rows if row.t_done_s < window.t_end_s]
    over = len(rows_since(done, window.t_start_s))
    if due - over > max(_LEAST_PILE * due, _PILE_BEYOND_DOUBT * due**0.5):
        return f"requests piled up: {due} were due and {over} were over while it was measured."
    change = response_change(done, window)
    is_known = change is not None and change.error <= KNOWN_AT_END
    return why_unsteady(done, window, change if is_known else None, TOLERANCE)


def _by(change: float) -> str:
    return f"{'rose' if change > 0 else 'fell'} by {abs(change):.0%}"


def response_change(rows: Sequence[RequestRow], window: Window, *, is_whole: bool = False) -> Change | None:
    """Of the logarithm of the response time of ok answers, without what the requests found waiting explain, or whole.

    None where there are too few answers. A level that answers nothing is steady in that.
    """
    inside = _inside(rows, window)
    answers = [row for row in inside if row.outcome == "ok"]
    if not answers:
        return Change(0.0, 0.0) if inside else None
    count = min(SLICES, len(answers) // _LEAST_IN_SLICE)
    place = _places(np.array([row.t_done_s for row in answers]), window, count)
    if count < _LEAST_SLICES or len(np.unique(place)) < count:
        return None
    logs = np.log([max(row.response_ms, 1e-3) for row in answers])
    waiting = np.zeros(len(logs)) if is_whole else np.log1p(_in_flight(rows, answers))
    means, left = _without(logs, waiting, place)
    return _line(means, least=_error_of(left, count))


def _in_flight(rows: Sequence[RequestRow], answers: Sequence[RequestRow]) -> Floats:
    """How many requests were in flight when each of the answered was due."""
    all_due = np.sort([row.t_due_s for row in rows])
    all_done = np.array([row.t_done_s for row in rows])
    due = np.array([row.t_due_s for row in answers])
    found = np.searchsorted(all_due, due, side="left") - np.searchsorted(np.sort(all_done), due, side="right")
    return np.asarray(np.maximum(found, 0), dtype=float)


def _without(values: Floats, covariate: Floats, place: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """The slices' means of values at the same covariate, and how far each value is from the mean of its slice."""
    counts = np.bincount(place)
    means, others = (np.bincount(place, each) / counts for each in (values, covariate))
    spread = covariate - others[place]
    total = float(spread @ spread)
    slope = float(spread @ (values - means[place])) / total if total > 0 else 0.0
    return means - slope * others, values - means[place] - slope * spread


def _error_of(left: Floats, slices: int) -> float:
    """Of the change of a line through values that scatter by themselves, as those within slices do.

    Few requests make few slices, whose own scatter may be small by chance.
    """
    return float(np.sqrt(12 * (left @ left) / max(1, len(left) - slices - 1) / len(left)))


def _places(times_s: Floats, window: Window, count: int) -> NDArray[np.intp]:
    """The slice of each time, from 0."""
    found = (times_s - window.t_start_s) / window.duration_s * count
    return np.clip(found.astype(np.intp), 0, max(0, count - 1))


def _rate_change(done_s: Floats, window: Window) -> Change:
    counts = np.bincount(_places(done_s, window, SLICES), minlength=SLICES)
    return _line(counts / max(1.0, float(counts.mean())))


def _share_change(done_s: Floats, is_one: NDArray[np.bool_], window: Window) -> Change:
    place = _places(done_s, window, SLICES)
    counts = np.bincount(place, minlength=SLICES)
    return _line(np.bincount(place, is_one, minlength=SLICES) / np.maximum(1, counts))


def _line(means: Floats, least: float = 0.0) -> Change:
    """The change of a straight line through evenly spaced means, from the begin of the window to its end.

    Its error is `least` or more.
    """
    at = (np.arange(len(means)) + 0.5) / len(means) - 0.5
    squares = float(at @ at)
    slope = float(at @ means) / squares
    left = means - means.mean() - slope * at
    # A machine that is slow for a while is slow in the next slice, too.
    scatter = left @ left + 2 * max(0.0, float(left[1:] @ left[:-1]))
    return Change(slope, max(least, float(np.sqrt(scatter / (len(means) - 2) / squares))))


def seconds_of(rows: Sequence[RequestRow], window: Window) -> list[Slice]:
    """The attempts and the unserved of each whole second of a window that ends now."""
    counts = np.zeros((int(window.duration_s), 2), dtype=int)
    for row in _inside(rows, window):
        second = int(row.t_done_s - window.t_start_s)
        if second < len(counts):
            counts[second] += (1, row.outcome != "ok")
    return [Slice(int(attempts), int(bad)) for attempts, bad in counts]
