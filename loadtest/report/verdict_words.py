"""A verdict in words: what to ship, what it gains, what it costs, how sure that is, and what to run next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from loadtest.report.next_command import next_command
from loadtest.report.wording import (
    MISSING,
    bounds_text,
    is_bracket,
    number,
    quality_change,
    ratio_text,
    threshold_text,
    times_text,
)
from loadtest.results.comparison import CandidateReport, Report
from loadtest.results.levels import LevelResult
from loadtest.results.threshold import Threshold
from loadtest.statistics.ratios import Ratio
from loadtest.statistics.repeats import threshold_over
from loadtest.statistics.verdict import Verdict

# A canary farther from itself than this says that differences of the same size are noise.
MOST_NOISE = 0.05

# Names that a headline holds.
_MOST_LISTED = 3

MARKS = {
    "recommended": "recommended",
    "best": "seems best",
    "kept": "keep for now",
    "leader": "not told apart",
    "more": "may hold more",
    "excluded": "loses too much",
    "dropped": "dropped",
    "failed": "not measured",
    "first": "compared with",
    "": "behind",
}


class Fact(NamedTuple):
    """One side of a verdict."""

    name: str
    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """A headline, what stands behind it, and the next command; None where the report does not know how it was made."""

    headline: str
    facts: tuple[Fact, ...]
    command: str | None


def verdict_text(report: Report, found: Verdict) -> str:
    """All of it as one paragraph, for a terminal."""
    words = words_of(report, found)
    sentences = [words.headline, *(fact.text for fact in words.facts)]
    return " ".join(sentences) + (f" Next: {words.command}" if words.command else "")


def words_of(report: Report, found: Verdict) -> VerdictWords:
    facts = (*_effect(report, found), *_quality(report, found), *_sureness(report, found), *_left_out(report, found))
    return VerdictWords(_headline(report, found), facts, next_command(report, found))


def mark_of(report: Report, candidate: CandidateReport, found: Verdict) -> str:
    """What the verdict says of a candidate, in a word or two."""
    name = candidate.name
    if found.kind == "undecided" and name in found.leaders[:1]:
        key = "best"
    elif name == found.recommended:
        key = "kept" if found.kind == "undecided" else "recommended"
    elif name in found.excluded:
        key = "excluded"
    elif not candidate.levels:
        key = "failed"
    elif candidate.dropped:
        key = "dropped"
    elif name in found.may_hold_more:
        key = "more"
    else:
        is_unknown = name in found.unmeasured and name not in found.behind
        key = "leader" if name in found.leaders or is_unknown else ""
    if not key and candidate is report.candidates[0]:
        key = "first"
    return MARKS[key]


def holds_text(candidate: CandidateReport) -> str:
    """dense@torch throttles at 52 users (45..54); of one that had a rate and no users, how it answered at that."""
    at_rate = [run.common_rate for run in candidate.runs if run.common_rate]
    if at_rate and not candidate.levels:
        return _at_rate_text(candidate.name, at_rate[-1])
    threshold = threshold_over(candidate.runs)
    low, high = threshold.bracket
    if threshold.at is not None and not is_bracket(threshold):
        return f"{candidate.name} throttles at {threshold_text(threshold, 'users')}"
    if high is not None and low is not None:
        return f"{candidate.name} throttles somewhere between {low:g} and {high:g} users"
    if high is not None:
        return f"{candidate.name} throttles below {high:g} user{'s' if high != 1 else ''}"
    if low is not None:
        return f"{candidate.name} held all of the {low:g} users it was given ({_sure(threshold)})"
    return f"the threshold of {candidate.name} is not known"


def _at_rate_text(name: str, level: LevelResult) -> str:
    tail = f", 95 % of them within {number(level.p95_ms)} ms" if level.p95_ms is not None else ""
    doubts = f"; this is doubted, as {level.doubts[0].rstrip('.')}" if level.doubts else ""
    answered = f"{number(level.ok_per_s)} requests per second{tail}"
    return f"{name} answered {answered}, and left {level.unserved_share:.1%} unserved{doubts}"


def _sure(threshold: Threshold) -> str:
    return "it was watched too briefly to be sure" if threshold.text == "unknown" else f"{threshold.text} for sure"


def _headline(report: Report, found: Verdict) -> str:
    if len(report.candidates) == 1:
        return _sentence(holds_text(report.candidates[0]))
    if found.recommended is None:
        return "No recommendation: of no candidate it is known how many users are too much."
    chosen = found.recommended
    if found.kind == "winner":
        times = times_text(found.effect) if found.effect else bounds_text(found.bounds)
        gain = f": {times} the users of {found.against}" if found.against and times != MISSING else ""
        return f"Ship {chosen}{gain}."
    if found.may_hold_more:
        names = _listed(found.may_hold_more)
        return (
            f"No clear winner yet: {names} {'was' if len(found.may_hold_more) == 1 else 'were'} never given too much."
        )
    others = [name for name in found.leaders if name != chosen]
    if found.kind == "tie":
        return f"No clear winner: {_listed([chosen, *others])} hold the same number of users within 5 %. Take {chosen}."
    if not others:
        return f"No clear winner yet. {chosen} seems best."
    who = _listed([chosen, *others]) if len(others) < _MOST_LISTED else f"{1 + len(others)} candidates"
    advice = (
        f"{chosen} seems best"
        if chosen == found.leaders[0]
        else f"{found.leaders[0]} seems best; keep {chosen} until it is sure"
    )
    return f"No clear winner yet: {who} cannot be told apart. {advice}."


def _effect(report: Report, found: Verdict) -> list[Fact]:
    if len(report.candidates) == 1:
        return []
    named = {candidate.name: candidate for candidate in report.candidates}
    shown = [named[name] for name in (found.recommended, found.against) if name]
    sentences = [_sentence("; ".join(map(holds_text, shown)))] if shown else []
    if found.effect and found.against:
        sentences.append(f"That is {ratio_text(found.effect)} as many{_noise_word(found.effect)}.")
    elif found.bounds and found.bounds.is_clear:
        sentences.append(f"That is {bounds_text(found.bounds)} as many, by what bounds the two.")
    if found.lead and found.runner_up and found.runner_up != found.against:
        noise = _noise_word(found.lead)
        sentences.append(f"It is {ratio_text(found.lead)} as many as the next best holds, {found.runner_up}{noise}.")
    return [Fact("Effect", " ".join(sentences))] if sentences else []


def _noise_word(ratio: Ratio) -> str:
    return "" if ratio.is_clear else ", which may be noise"


def _quality(report: Report, found: Verdict) -> list[Fact]:
    first = report.candidates[0]
    if found.recommended in (None, first.name) or found.recommended is None:
        return []
    named = {candidate.name: candidate for candidate in report.candidates}
    quality = named[found.recommended].quality
    if quality is None or first.quality is None:
        return [Fact("Quality", "It was not measured, so what this costs in quality is not known.", is_warning=True)]
    if found.quality is None:
        change = quality_change(quality, first.quality).strip().removeprefix("at ") or "not comparable"
        return [
            Fact(
                "Quality",
                f"{_upper(change)} than {first.name}; how sure that is was not measured.".replace(
                    "The same " + quality.metric + " than", "The same " + quality.metric + " as"
                ),
            )
        ]
    difference = found.quality
    low, high = (100 * end for end in difference.interval)
    points = f"{abs(100 * difference.value):.2f} points {'more' if difference.value > 0 else 'less'} {quality.metric}"
    change = f"the same {quality.metric} as" if difference.value == 0 else f"{points} than"
    noise = "; that may be noise" if low <= 0 <= high else ""
    of = f" of the same {quality.n:,} examples" if quality.n else ""
    p = f"McNemar's p {difference.p:.2g}" if difference.p >= 0.001 else "McNemar's p < 0.001"
    text = f"{_upper(change)} {first.name} ({low:+.1f}..{high:+.1f}){of}, {p}{noise}."
    return [Fact("Quality", text)]


def _sureness(report: Report, found: Verdict) -> list[Fact]:
    if len(report.candidates) == 1:
        return []
    blocks = max(len({run.block for run in candidate.runs}) for candidate in report.candidates)
    if blocks > 1:
        measured = f"Measured in {blocks} blocks, each candidate on a fresh server in each."
    else:
        measured = "Measured in one run of each candidate: how much two starts of a server differ was not measured."
    sure = ""
    if found.sureness is not None and found.sureness > 0.5:
        among = f"chance among {len(report.candidates)} candidates allowed for"
        sure = f" It holds more than {found.runner_up} with {_percent(found.sureness)} ({among})."
    return [Fact("How sure", measured + sure), *_canary(report, found)]


def _percent(share: float) -> str:
    return "more than 99.9 %" if share > 0.999 else f"{100 * share:.3g} %"


def _canary(report: Report, found: Verdict) -> list[Fact]:
    """Said in any case where it was measured; a warning where it is off."""
    noise = found.noise
    if noise is None:
        return []
    first = report.candidates[0].name
    measured = f"{first}, measured twice in each block, gave {ratio_text(noise)} of itself"
    if abs(noise.value - 1) <= MOST_NOISE:
        return [Fact("Canary", f"{_upper(measured)}, within 5 %.")]
    return [Fact("Canary", f"{_upper(measured)}: outside of 5 %, so differences of that size are noise here.", True)]


def _left_out(report: Report, found: Verdict) -> list[Fact]:
    facts = []
    if found.excluded:
        drop = 100 * report.max_drop
        points = "1 point" if drop == 1 else f"{drop:g} points"
        text = f"{_upper(_listed(found.excluded))} {_verb(found.excluded)} clearly more than {points} of quality."
        facts.append(Fact("Left out", text))
    named = {candidate.name: candidate for candidate in report.candidates}
    told = (found.recommended, found.against)
    others = [named[name] for name in found.unmeasured if name not in told and named[name].levels]
    bounds = [_sentence(holds_text(one)) for one in others]
    if bounds and len(report.candidates) > 1:
        facts.append(Fact("Only bounded", " ".join(bounds), is_warning=True))
    failures = [f"{one.name}: {run.failure}" for one in report.candidates for run in one.runs if run.failure]
    if failures:
        facts.append(Fact("Failed", " ".join(failures), is_warning=True))
    dropped = [f"{one.name}: {one.dropped}" for one in report.candidates if one.dropped]
    return [*facts, Fact("Dropped", " ".join(dropped))] if dropped else facts


def _verb(names: Sequence[str]) -> str:
    return "loses" if len(names) == 1 else "lose"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _upper(text: str) -> str:
    """A sentence begins with a capital, a candidate's name stays as it is."""
    return text if "@" in text.split()[0] else text[0].upper() + text[1:]


def _sentence(text: str) -> str:
    return f"{_upper(text)}."
