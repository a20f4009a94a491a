"""What the small encoder prints at the end of its training, on `docs/finetune.md`."""

from pathlib import Path

import msgspec

from benchmarks.harness.places import WRITE_UPS
from benchmarks.harness.results import Result
from benchmarks.marked import filled, read_result
from paretoserve.terminal.training import training_lines
from recipes.finetuning.record import Training

COMMAND = "paretoserve finetune --data data --out checkpoints/small --epochs {epochs}"


def render(page: str, folder: Path = WRITE_UPS) -> str:
    """The page with the end of that training; one that was not done leaves the page as it is."""
    result = read_result(folder / "finetuned.json")
    return filled(page, "finetuned", _shown(result)) if result else page


def _shown(result: Result) -> str:
    training = msgspec.convert(result.summary, Training)
    # As the page's command calls the data.
    training = msgspec.structs.replace(training, rows=msgspec.structs.replace(training.rows, dataset="data"))
    lines = [
        f"$ {COMMAND.format(epochs=result.settings['epochs'])}",
        *training_lines(training, Path("checkpoints/small")),
    ]
    return "\n".join(["```console", *lines, "```"]) + "\n"
