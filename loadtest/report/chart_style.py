"""How charts look, and how a figure becomes a file or a piece of a page."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

INK, MUTED, LINE, SHADE, PAPER = "#1f2328", "#59636e", "#d8dee4", "#f1f3f5", "#ffffff"

# After Okabe and Ito's palette for all kinds of colour vision, darkened until each has a contrast of 3:1 with white.
COLOURS = ("#0072b2", "#c95500", "#00805c", "#b8528e", "#946200", "#7a5195", "#6e7781")
# The same ones for dark paper, in the same order; `tests/loadtest/report/test_chart_style.py` computes the contrasts.
DARK_COLOURS = ("#56b4e9", "#ff8a3d", "#2fc79a", "#e08fc0", "#e6b030", "#c19ee0", "#a8b0b9")
# One more marker than colours: counted on side by side, they give 56 different pairs before one comes again.
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<")

STYLE: dict[RcKeyType, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "hatch.linewidth": 0.8,
    "svg.fonttype": "none",
    # Without a salt of its own matplotlib draws new ids on every run.
    "svg.hashsalt": "loadtest",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
# What a page has as text of its own: the title, and the line under it.
HEADING = "heading"


@contextmanager
def chart_style() -> Iterator[None]:
    """Every figure is drawn and saved under this style; it also makes SVG files reproducible."""
    with mpl.rc_context(STYLE):
        yield


def colour_of(place: int) -> str:
    """The colour of the candidate at this place of a report, from 0."""
    return COLOURS[place % len(COLOURS)]


def marker_of(place: int) -> str:
    return MARKERS[place % len(MARKERS)]


def to_png(figure: Figure) -> bytes:
    """The figure at twice the resolution of a screen."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=200, metadata={"Software": None})
    return stream.getvalue()


def to_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as an SVG document, the same bytes every time; readers of the screen get title and description.

    Must run under `chart_style`, as figures are drawn.
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    labels = f'<title id="{name}-title">{escape(title)}</title>\n<desc id="{name}-desc">{escape(description)}</desc>'
    return re.sub(
        r"<svg ([^>]*)>",
        rf'<svg role="img" aria-labelledby="{name}-title {name}-desc" \1>' + "\n" + labels.replace("\\", r"\\"),
        stream.getvalue(),
        count=1,
    )
