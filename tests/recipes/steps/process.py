"""Run the steps of a recipe, and wait for a word after each report of progress: whoever listens may kill it there.

    python -m tests.recipes.steps.process RECIPE CHECKPOINT DATA WORK SEED

Writes a line of JSON for each report, the fraction done, and at the end the folder of the checkpoint.
"""

import json
import sys
from pathlib import Path

from handlers.tasks.text_classification import TextClassification
from networks.config import read_shape
from recipes.data.rows import load_data
from recipes.grammar import parse_recipe
from recipes.steps.catalogue import STEPS
from recipes.steps.chain import ChainInput, run_steps
from recipes.training import loop


def main(recipe: str, checkpoint: Path, data: str, work: Path, seed: int) -> None:
    loop.SAVE_EVERY_S = 0.0
    train = load_data(data, TextClassification(read_shape(checkpoint).labels).target).train
    assert train is not None

    def report(what: str, done: float) -> None:
        print(json.dumps(done), flush=True)  # noqa: T201  the answer
        sys.stdin.readline()

    given = ChainInput(checkpoint, train, 64, seed, work, "fp32@torch", lambda shape: float(shape.layers), report)
    found, _ = run_steps(parse_recipe(recipe, STEPS).steps, given)
    print(json.dumps(str(found)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
