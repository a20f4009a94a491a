"""The chart of a search: errors against parameters and against latency, with the front and the pick."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recipes.steps.nas.hypervolume import front
from recipes.steps.nas.picks import Dense
from recipes.steps.nas.search import Point

INK, MUTED, LINE = "#1f2328", "#656d76", "#d8dee4"

# Okabe and Ito's, for all kinds of colour vision; the shapes tell the same.
LOOKS = {"random": ("#e69f00", "s", "random"), "nsga2": ("#0072b2", "o", "NSGA-II")}
PICK = "#d55e00"

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "svg.fonttype": "none",
    # Without a salt of its own matplotlib draws new ids on every run.
    "svg.hashsalt": "nas",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def front_chart(points: Sequence[Point], pick: Point, dense: Dense, rule: str, chance: float) -> str:
    """An SVG document, the same bytes for the same points; errors are shown up to `chance`, that of guessing."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.6))
        left, right = figure.subplots(1, 2, sharey=True)
        _panel(left, points, pick, lambda one: 100 * one.parameters / dense.parameters)
        _panel(right, points, pick, lambda one: 1000 * one.latency_s)
        for axes, place in ((left, 100.0), (right, 1000 * dense.latency_s)):
            axes.plot(place, 100 * dense.error, "D", color=INK, markersize=7, label="dense")
            axes.set_xlim(left=0)
        errors = [100 * dense.error, *(100 * one.error for one in points)]
        left.set_ylim(min(errors) - 1, min(max(errors), 100 * chance) + 1)
        left.set(xlabel="encoder parameters, % of dense", ylabel="error on the validation part, %")
        right.set_xlabel("latency by the table, ms a text")
        figure.suptitle(f"Sub-networks by error and size; the line is the front, the star is {rule}", x=0.5, y=0.99)
        figure.legend(*left.get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 0.95), ncols=5)
        figure.subplots_adjust(left=0.07, right=0.985, bottom=0.12, top=0.86, wspace=0.06)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    return stream.getvalue()


def _panel(axes: Axes, points: Sequence[Point], pick: Point, size_of: Callable[[Point], float]) -> None:
    for sampler, (colour, marker, label) in LOOKS.items():
        some = [one for one in points if one.sampler == sampler]
        errors = [100 * one.error for one in some]
        axes.plot([size_of(one) for one in some], errors, marker, color=colour, alpha=0.6, markersize=4, label=label)
    best = front([(size_of(one), 100 * one.error) for one in points])
    axes.plot(*zip(*best, strict=True), drawstyle="steps-post", color=INK, linewidth=1.2, label="front")
    axes.plot(size_of(pick), 100 * pick.error, "*", color=PICK, markersize=14, label="pick")
