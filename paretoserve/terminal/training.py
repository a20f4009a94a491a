"""What a training prints at its end."""

from pathlib import Path
from typing import TYPE_CHECKING

from paretoserve.terminal.progress import console
from paretoserve.terminal.sparkline import sparkline

if TYPE_CHECKING:  # it brings torch along
    from recipes.finetuning.record import Training
    from recipes.finetuning.scores import Scores


def print_training(training: "Training", folder: Path) -> None:
    for line in training_lines(training, folder):
        console.print(line, markup=False, soft_wrap=True)


def training_lines(training: "Training", folder: Path) -> list[str]:
    """How it went, how good the checkpoint is, and where it lies."""
    return [_curve(training), *_scores(training.scores, training), f"Checkpoint: {folder}"]


def _curve(training: "Training") -> str:
    """`Validation accuracy ▁▅█▇ 81.20 % to 91.30 %, best at step 1200 of 2000.`"""
    scores = [100 * point.score for point in training.curve]
    early = f", ended at step {training.curve[-1].step}" if training.ended_early else ""
    return (
        f"Validation accuracy {sparkline(scores)} {min(scores):.2f} % to {max(scores):.2f} %, "
        f"best at step {training.best_step} of {training.steps}{early}."
    )


def _scores(scores: "Scores", training: "Training") -> list[str]:
    low, high = (100 * bound for bound in scores.interval_95)
    rows = f"{training.rows.dataset}/{training.rows.evaluation}"
    lines = [
        f"Accuracy {100 * scores.accuracy:.2f} % on {rows} ({scores.correct} of {scores.n}; 95 % interval "
        f"{low:.2f} % to {high:.2f} %)."
    ]
    if scores.matthews is not None and scores.f1 is not None:
        lines.append(f"Matthews correlation {scores.matthews:.3f}, F1 of {training.labels[1]!r} {scores.f1:.3f}.")
    return lines
