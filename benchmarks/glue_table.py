"""The tables of RTE in `docs/nas.md` and of CoLA in `docs/variants.md`, from what their commands left behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.places import WRITE_UPS
from benchmarks.harness.results import Result, markdown_table, spread_text
from benchmarks.marked import NOTHING, filled, read_result, where
from loadtest.report.wording import MISSING, number
from model_store.matthews import MATTHEWS

RTE_HEAD = ("Variant", "accuracy, %", "against `dense`, points", "weights of the layers", "MACs per token")


def render_rte(page: str, folder: Path = WRITE_UPS) -> str:
    """The page with the tables of the search on RTE."""
    result = read_result(folder / "rte.json")
    return filled(page, "rte", _rte(result) if result else NOTHING)


def render_cola(page: str, folder: Path = WRITE_UPS) -> str:
    """The page with the table of CoLA."""
    result = read_result(folder / "cola.json")
    return filled(page, "cola", _cola(result) if result else NOTHING)


def _rte(result: Result) -> str:
    summary = result.summary
    rows = [_variant(name, one, summary) for name, one in summary["variants"].items()]
    volumes = summary["hypervolume"]
    seeds = dict.fromkeys(name.partition(".")[2] for name in volumes)
    lines = [(f"seed {seed}", *(f"{volumes[f'{kind}.{seed}']:.4f}" for kind in ("nsga2", "random"))) for seed in seeds]
    evaluations = result.settings["search"]["evaluations"]
    return (
        f"{_tuned(result)}\n\n{markdown_table(RTE_HEAD, rows)}\n"
        f"Hypervolume after {evaluations} evaluations each, all of one super-network:\n\n"
        + markdown_table(("Search", "NSGA-II", "random"), lines)
    )


def _variant(name: str, one: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[str, ...]:
    pick = summary["picks"].get(name)
    share = pick["parameters"] / summary["dense"]["parameters"] if pick else 1.0
    against = one["quality"]["against_dense"]
    lost = _points(against["value"], against["interval"], "+") if against else MISSING
    accuracy = _points(one["quality"]["value"], one["quality"]["interval"])
    recipe = ":".join(one["recipe"].split(":")[:2])
    return (f"`{recipe}`", accuracy, lost, f"{share:.0%}", _macs(one, summary))


def _macs(one: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    return f"{one['macs_per_token'] / summary['variants']['dense']['macs_per_token']:.0%}"


def _points(value: float, interval: tuple[float, float] | None, sign: str = "") -> str:
    """A share in per cent, with its interval."""
    if interval is None:
        return f"{100 * value:{sign}.2f}"
    low, high = (100 * bound for bound in interval)
    return f"{100 * value:{sign}.2f} ({low:{sign}.1f} to {high:{sign}.1f})"


def _tuned(result: Result) -> str:
    """What the checkpoint is, which all of it begins with."""
    settings, rows = result.settings, result.settings["rows"]
    only = settings["only_the_first_rows"]
    tried = f" **Tried out with {only} rows of each split: the figures mean nothing.**" if only else ""
    return (
        f"{where(result)}. The encoder is {settings['encoder']}; {settings['epochs']:g} epochs of {rows['train']} "
        f"rows, seed {settings['seed']}, texts cut at {settings['max_tokens']} tokens.{tried}"
    )


def _cola(result: Result) -> str:
    head = ("Candidate", "accuracy, %", MATTHEWS, "times `dense@transformers`")
    rows = [
        (
            name,
            _points(one["quality"]["value"], one["quality"]["interval"]),
            number(one["quality"]["further"][MATTHEWS]),
            spread_text(one["times_baseline"]),
        )
        for name, one in result.summary["variants"].items()
    ]
    return f"{_tuned(result)}\n\n{markdown_table(head, rows)}"
