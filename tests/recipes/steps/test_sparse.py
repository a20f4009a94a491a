from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from model_store.errors import RecipeError
from model_store.rows import Data
from networks.checkpoint import load_checkpoint
from recipes.grammar import parse_recipe
from recipes.run import RecipeInput, run_recipe
from recipes.steps.base import StepInput
from recipes.steps.catalogue import STEPS
from recipes.steps.masks import prunable, zero_share
from recipes.steps.sparse import BLOCK_SIZES, PRUNINGS, Schedule, Sparse
from recipes.work.progress import silent
from tests.recipes.steps.given import TRAIN, never, step_input
from tests.tiny import tiny_checkpoint, tiny_shape

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def given(tmp_path: Path) -> StepInput:
    return step_input(tmp_path)


def weights_of(checkpoint: Path) -> list[Tensor]:
    return [weight.detach() for weight in prunable(load_checkpoint(checkpoint))]


@pytest.mark.parametrize("percent", [80, 62.5, 99])
@pytest.mark.parametrize("pattern", BLOCK_SIZES)
def test_the_percentage_is_met_to_the_block(given: StepInput, percent: float, pattern: str) -> None:
    weights, size = weights_of(Sparse(percent, pattern, 4).run(given)), BLOCK_SIZES[pattern]
    count = sum(weight.numel() for weight in weights) // size
    assert zero_share(weights, size) == round(percent / 100 * count) / count
    assert zero_share(weights) == zero_share(weights, size), "blocks are zero throughout, or nowhere"


def test_nothing_but_the_matrices_of_the_layers_becomes_zero(given: StepInput) -> None:
    found = load_checkpoint(Sparse(90, "global", 1).run(given))
    pruned = {id(weight) for weight in prunable(found)}
    others = [weight for weight in found.parameters() if id(weight) not in pruned]
    assert all(weight.count_nonzero() == weight.numel() for weight in others)


def test_what_stays_was_trained(given: StepInput) -> None:
    before, after = weights_of(given.checkpoint), weights_of(Sparse(50, "global", 1).run(given))
    kept = [(old[new != 0], new[new != 0]) for old, new in zip(before, after, strict=True)]
    assert all(float((old - new).abs().max()) > 1e-5 for old, new in kept)


def test_zeros_rise_with_the_third_power_and_reach_their_target_in_time() -> None:
    schedule = Schedule(0.1, 0.9, 1000)
    shares = [schedule.share_after(steps) for steps in range(1200)]
    assert shares == sorted(shares)
    assert [shares[0], shares[500]] == pytest.approx([0.1, 0.9 - 0.8 / 8])
    assert shares[1000:] == [0.9] * 200
    due = [steps for steps in range(1, 1200) if schedule.is_due(steps)]
    assert due == list(range(1000 // PRUNINGS, 1001, 1000 // PRUNINGS))


@pytest.mark.parametrize("through", [1, 7, 101])
def test_weights_are_pruned_for_the_last_time_when_the_schedule_ends(through: int) -> None:
    schedule = Schedule(0.0, 0.8, through)
    assert [steps for steps in range(1, 2 * through + 1) if schedule.is_due(steps)][-1] == through


def test_a_sparse_checkpoint_becomes_sparser_and_keeps_its_zeros(given: StepInput, tmp_path: Path) -> None:
    first = Sparse(50, "global", 1).run(given)
    (tmp_path / "second").mkdir()
    second = Sparse(80, "global", 1).run(replace(given, checkpoint=first, work=tmp_path / "second"))
    pairs = zip(weights_of(first), weights_of(second), strict=True)
    assert all(bool((new[old == 0] == 0).all()) for old, new in pairs)


def test_a_checkpoint_that_is_sparser_already_is_refused(given: StepInput, tmp_path: Path) -> None:
    first = Sparse(80, "global", 0.1).run(given)
    again = replace(given, checkpoint=first, work=tmp_path / "second")
    with pytest.raises(RecipeError, match=r"^sparse:50 asks for fewer zeros .*: 80\.0 % .*; give a percentage above"):
        Sparse(50).run(again)
    assert not again.work.exists()


def test_what_is_as_sparse_as_it_is_to_be_is_trained_on(given: StepInput, tmp_path: Path) -> None:
    step = Sparse(62.51, "block4", 0.1)
    again = replace(given, checkpoint=step.run(given), work=tmp_path / "second")
    again.work.mkdir()
    assert zero_share(weights_of(step.run(again))) == pytest.approx(0.6251, abs=1e-4)


def test_blocks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    given = step_input(tmp_path, tiny_shape(units=(64, 62)))
    with pytest.raises(RecipeError, match="multiples of 4, and one of the checkpoint is 62 wide; write sparse:80, "):
        Sparse(80, "block4").run(given)
    assert not list(given.work.iterdir())


@pytest.mark.parametrize("text", ["sparse:100", "sparse:1.0", "sparse:0.8"])
def test_what_is_no_percentage_is_refused_when_the_recipe_is_read(text: str) -> None:
    with pytest.raises(RecipeError, match="as percent, which must be a number from 5 to 99"):
        parse_recipe(text, STEPS)


@pytest.mark.parametrize(
    ("text", "layers", "share"),
    [("layers:3:1+sparse:70:global:1", 3, 0.7), ("layers:6:1+sparse:80:block4:1+int8", 6, 0.8)],
)
def test_steps_chain(tmp_path: Path, text: str, layers: int, share: float) -> None:
    recipe = parse_recipe(text, STEPS)
    (tmp_path / "out").mkdir()
    given = RecipeInput(
        checkpoint=tiny_checkpoint(tmp_path / "tiny", shape=tiny_shape(heads=(2,) * 7, units=(64,) * 7)),
        data=Data(TRAIN, TRAIN),
        out_dir=tmp_path / "out",
        work=tmp_path / "work",
        latency_s=never,
        report=silent,
        backends=("torch", "onnxruntime"),
    )
    built = run_recipe(recipe, given)
    assert len(weights_of(built.checkpoint)) == 6 * layers
    assert zero_share(weights_of(built.checkpoint)) == pytest.approx(share, abs=1e-4)
    assert [one.step for one in built.lineage] == ["layers", "sparse"]
    assert built.artifacts
