from pathlib import Path

import pytest
import torch

from model_store.errors import RecipeError
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PackedEncoder
from recipes.data.tokens import load_tokenizer
from recipes.steps.base import StepInput
from recipes.steps.layers import Layers, evenly_spaced
from recipes.steps.recovery import recover
from recipes.training.evaluation import Evaluation
from recipes.training.state import CurvePoint
from tests.recipes.steps.given import ROWS, step_input
from tests.tiny import tiny_shape

FIVE = tiny_shape(heads=(2,) * 5, units=(64,) * 5)
UNTRAINED = 0.01

pytestmark = pytest.mark.timeout(120)


def rows_of(given: StepInput) -> Evaluation:
    return Evaluation.of(load_tokenizer(given.tokenizer, given.max_tokens), ROWS[:6])


def idle(encoder: PackedEncoder, layer: int) -> None:
    """Let a layer pass on what it is given."""
    one = encoder.get_submodule(f"bert.encoder.layer.{layer}")
    for name in ("attention.output.dense", "output.dense"):
        for weight in one.get_submodule(name).parameters():
            torch.nn.init.zeros_(weight)


@pytest.fixture
def given(tmp_path: Path) -> StepInput:
    """A checkpoint of five layers, of which the second and the fourth do nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = PackedEncoder(FIVE)
    for layer in (1, 3):
        idle(encoder, layer)
    return step_input(tmp_path, encoder=encoder)


@pytest.mark.parametrize(
    ("have", "count", "kept"),
    [
        (12, 6, [0, 2, 4, 7, 9, 11]),
        (6, 3, [0, 2, 5]),
        (6, 5, [0, 1, 2, 4, 5]),
        (6, 2, [0, 5]),
        (6, 1, [0]),
        (24, 23, [*range(11), *range(12, 24)]),
    ],
)
def test_layers_at_even_distances_stay_from_the_first_to_the_last(have: int, count: int, kept: list[int]) -> None:
    assert evenly_spaced(have, count) == kept


def test_without_layers_that_do_nothing_it_answers_as_before(given: StepInput) -> None:
    few = load_checkpoint(Layers(3, UNTRAINED).run(given))
    assert few.shape.layers == 3
    answers, expected = (rows_of(given).logits(one) for one in (few, load_checkpoint(given.checkpoint)))
    # One step of training moved them a little.
    torch.testing.assert_close(answers, expected, atol=0.02, rtol=0)


def test_what_stays_learns_to_answer_as_the_teacher_does(given: StepInput, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = load_checkpoint(given.checkpoint)
    # Answers that differ from text to text.
    teacher.classifier.weight.data *= 40
    save_checkpoint(teacher, given.checkpoint)
    curve: list[CurvePoint] = []
    monkeypatch.setattr("recipes.steps.layers.recover", lambda *told: curve.extend(recover(*told)))
    monkeypatch.setattr("recipes.steps.layers.LEARNING_RATE", 3e-3)
    monkeypatch.setattr("recipes.steps.layers.PATIENCE", None)
    Layers(1, 20).run(given)
    assert curve[-1].loss < 0.5 * curve[0].loss


def test_as_many_layers_as_there_are_all_stay_and_nothing_is_trained(given: StepInput) -> None:
    kept = load_checkpoint(Layers(5).run(given))
    torch.testing.assert_close(kept.state_dict(), load_checkpoint(given.checkpoint).state_dict(), atol=0, rtol=0)
    assert not list(given.shared.iterdir()), "the teacher was asked"


def test_more_layers_than_there_are_are_refused_before_anything_is_done(given: StepInput) -> None:
    with pytest.raises(RecipeError, match=r"^layers:6 asks for more layers than the 5 .*; give from 1 to 5\.$"):
        Layers(6).run(given)
    assert not [*given.shared.iterdir(), *given.work.iterdir()]


def test_the_shape_is_told_that_will_be_left() -> None:
    uneven = tiny_shape(heads=(2, 1, 2, 1, 2), units=(64, 60, 56, 52, 48))
    assert Layers(3).shape_after(uneven) == tiny_shape(heads=(2, 2, 2), units=(64, 56, 48))
    assert Layers(5).shape_after(uneven) == uneven


def test_the_shape_that_was_told_is_the_one_that_is_made(given: StepInput) -> None:
    made = load_checkpoint(Layers(2, UNTRAINED).run(given))
    assert made.shape == Layers(2).shape_after(FIVE)
