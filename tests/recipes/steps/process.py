"""Run the steps of a recipe, and wait for a word after each report of progress: whoever listens may kill it there."""

from multiprocessing.connection import Connection
from pathlib import Path

# The first step of an optimizer brings it along, which takes seconds: here once, for all processes that are forked.
import torch._dynamo  # noqa: F401

from handlers.tasks.text_classification import TextClassification
from networks.config import read_shape
from recipes.data.rows import load_data
from recipes.grammar import parse_recipe
from recipes.steps.catalogue import STEPS
from recipes.steps.chain import ChainInput, run_steps
from recipes.training import loop


def do_steps(recipe: str, checkpoint: Path, data: str, work: Path, seed: int, listener: Connection) -> None:
    """Send the fraction done at each report, and at the end the folder of the checkpoint."""
    loop.SAVE_EVERY_S = 0.0
    train = load_data(data, TextClassification(read_shape(checkpoint).labels).target).train
    assert train is not None

    def report(what: str, done: float) -> None:
        listener.send(done)
        listener.recv()

    given = ChainInput(checkpoint, train, 64, seed, work, "fp32@torch", lambda shape: float(shape.layers), report)
    found, _ = run_steps(parse_recipe(recipe, STEPS).steps, given)
    listener.send(found)
