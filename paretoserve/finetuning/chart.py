"""The chart beside a checkpoint: loss and validation accuracy by step."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from loadtest.report.chart_style import MUTED, chart_style, colour_of, to_svg
from recipes.finetuning.record import Training

CHART_FILE = "training.svg"


def training_svg(training: Training, name: str) -> str:
    """An SVG document of two panels; the best step is marked in the second. The same bytes every time."""
    steps = [point.step for point in training.curve]
    accuracies = [100 * point.score for point in training.curve]
    with chart_style():
        figure = Figure(figsize=(9.6, 3.8))
        FigureCanvasAgg(figure)
        figure.text(0.012, 0.94, f"Training of {name}", size=13, weight="bold", va="center")
        figure.text(0.012, 0.865, _subtitle(training), size=10, color=MUTED, va="center")
        grid = figure.add_gridspec(1, 2, left=0.07, right=0.985, bottom=0.14, top=0.78, wspace=0.2)
        loss, accuracy = grid.subplots(squeeze=False)[0]
        _draw(loss, steps, [point.loss for point in training.curve], "loss")
        _draw(accuracy, steps, accuracies, "validation accuracy, %")
        best = steps.index(training.best_step)
        accuracy.plot(steps[best], accuracies[best], "o", color=colour_of(1), markersize=8)
        described = f"{_subtitle(training)} Checked {len(steps)} times in {steps[-1]} steps."
        return to_svg(figure, "training", f"Training of {name}", described)


def _subtitle(training: Training) -> str:
    best = max(point.score for point in training.curve)
    return f"Best at step {training.best_step}: {100 * best:.2f} % of {training.rows.validation} validation rows."


def _draw(axes: Axes, steps: Sequence[int], values: Sequence[float], label: str) -> None:
    axes.plot(steps, values, "o-", color=colour_of(0), linewidth=2, markersize=3.5)
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
