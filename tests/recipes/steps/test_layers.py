from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model_store.errors import RecipeError
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PackedEncoder
from recipes.data.tokens import load_tokenizer
from recipes.steps.base import StepInput
from recipes.steps.layers import Layers, layers_to_keep
from recipes.training.distillation import Distillation
from recipes.training.evaluation import Evaluation
from recipes.work.progress import silent
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


def test_the_layers_that_do_least_go_and_the_others_keep_their_order(given: StepInput) -> None:
    encoder = load_checkpoint(given.checkpoint)
    assert layers_to_keep(encoder, 3, rows_of(given), silent) == [0, 2, 4]
    assert set(layers_to_keep(encoder, 4, rows_of(given), silent)) > {0, 2, 4}


def test_without_layers_that_do_nothing_it_answers_as_before(given: StepInput) -> None:
    few = load_checkpoint(Layers(3, UNTRAINED).run(given))
    assert few.shape.layers == 3
    answers, expected = (rows_of(given).logits(one) for one in (few, load_checkpoint(given.checkpoint)))
    # One step of training moved them a little.
    torch.testing.assert_close(answers, expected, atol=0.02, rtol=0)


def test_what_stays_learns_to_answer_as_the_teacher_does(
    given: StepInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.steps.layers.LEARNING_RATE", 3e-3)
    teacher = load_checkpoint(given.checkpoint)
    # Answers that differ from text to text.
    teacher.classifier.weight.data *= 40
    save_checkpoint(teacher, given.checkpoint)

    def distance(passes: float) -> float:
        work = tmp_path / str(passes)
        work.mkdir()
        few = load_checkpoint(Layers(1, passes).run(replace(given, work=work)))
        return float(Distillation().soft_loss(rows_of(given).logits(few), rows_of(given).logits(teacher)))

    assert distance(20) < 0.3 * distance(UNTRAINED)


def test_as_many_layers_as_there_are_all_stay_and_nothing_is_trained(given: StepInput) -> None:
    kept = load_checkpoint(Layers(5).run(given))
    torch.testing.assert_close(kept.state_dict(), load_checkpoint(given.checkpoint).state_dict(), atol=0, rtol=0)
    assert not list(given.shared.iterdir()), "the teacher was asked"


def test_more_layers_than_there_are_are_refused_before_anything_is_done(given: StepInput) -> None:
    with pytest.raises(RecipeError, match=r"^layers:6 asks for more layers than the 5 .*; give from 1 to 5\.$"):
        Layers(6).run(given)
    assert not [*given.shared.iterdir(), *given.work.iterdir()]


def test_the_choice_is_made_once(given: StepInput, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_checkpoint(Layers(3, UNTRAINED).run(given)).state_dict()
    monkeypatch.setattr("recipes.steps.layers.layers_to_keep", lambda *_: pytest.fail("it chose again"))
    again = load_checkpoint(Layers(3, UNTRAINED).run(given)).state_dict()
    torch.testing.assert_close(again, first, atol=0, rtol=0)
