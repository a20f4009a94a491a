"""What `auto` found, as people read it."""

from collections.abc import Iterator

from rich.table import Table

from loadtest.report.wording import MISSING, interval_text, whole
from loadtest.results.comparison import Quality
from model_store.errors import StoreError
from model_store.manifest import read_manifest
from paretoserve.builds.against_dense import DENSE
from paretoserve.builds.auto.deciding import FASTEST, TOO_LATE
from paretoserve.builds.auto.record import Try
from paretoserve.builds.auto.run import Chosen
from paretoserve.terminal.progress import console
from paretoserve.terminal.rich_tables import new_table


def print_chosen(chosen: Chosen) -> None:
    console.print(chosen_table(chosen))
    for sentence in _conclusions(chosen):
        console.print(sentence, markup=False, soft_wrap=True)


def chosen_table(chosen: Chosen) -> Table:
    """A row per chain: the gains and the loss, the final figure of what was kept, and what became of it."""
    record = chosen.record
    quality = _quality(chosen, DENSE)
    table = new_table(
        f"chain for {record.target}",
        "expected",
        "measured",
        f"lost on {record.validation_rows:,} rows of train (95%)",
        f"{quality.metric if quality else 'quality'} (95%)",
        "s",
        "verdict",
    )
    table.columns[-1].justify = "left"
    seconds = whole(record.dense.seconds if record.dense else None)
    table.add_row(DENSE, MISSING, "1 x", MISSING, interval_text(quality), seconds, "what the others are compared with")
    for one in record.tries:
        table.add_row(*_row(one, chosen))
    return table


def _conclusions(chosen: Chosen) -> Iterator[str]:
    """`The fastest that loses at most 1 point on openvino: sst2/int8, 2.5 x dense.`, and what is left to do."""
    record = chosen.record
    points = f"{record.max_drop:g} point{'' if record.max_drop == 1 else 's'}"
    best = next((one for one in record.tries if one.why == FASTEST), None)
    if best is None:
        yield f"Nothing that is faster than dense on {record.target} loses at most {points}."
    else:
        variant = f"{chosen.folder.name}/{best.variant}"
        yield f"The fastest that loses at most {points} on {record.target}: {variant}, {best.gain:.1f} x dense."
    if any(one.why.startswith(TOO_LATE) for one in record.tries):
        yield "The time budget was over; the same command goes on from there."


def _row(one: Try, chosen: Chosen) -> tuple[str, ...]:
    quality = interval_text(_quality(chosen, one.variant)) if one.variant else MISSING
    return (
        one.recipe,
        _times(one.expected_gain),
        _times(one.gain),
        _lost(one),
        quality,
        whole(one.seconds),
        _verdict(one),
    )


def _verdict(one: Try) -> str:
    return f"{one.verdict}: {one.why}"


def _times(gain: float | None) -> str:
    return MISSING if gain is None else f"{gain:.1f} x"


def _lost(one: Try) -> str:
    """In points, as `0.46 (-0.5..+1.4)`."""
    if one.drop is None:
        return MISSING
    interval = "" if one.drop_interval is None else " ({:+.1f}..{:+.1f})".format(*one.drop_interval)
    return f"{one.drop:.2f}{interval}"


def _quality(chosen: Chosen, variant: str) -> Quality | None:
    """That of a variant's artifact on the rows to measure on; None where it is no longer there."""
    try:
        artifact = read_manifest(chosen.folder / variant).artifacts.get(chosen.record.target)
    except (FileNotFoundError, StoreError):
        return None
    if artifact is None or artifact.quality is None:
        return None
    return Quality(artifact.quality.value, artifact.quality.metric, interval=artifact.quality.interval)
