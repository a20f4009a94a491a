from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model_store.errors import RecipeError
from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint
from networks.config import read_shape
from networks.encoder.counts import encoder_parameters, macs_per_token
from networks.encoder.shape import EncoderShape
from recipes.steps import movement_pruning
from recipes.steps.chain import ChainInput, run_steps
from recipes.steps.movement_pruning import Movement
from recipes.training import loop
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS * 8))
SHAPE = tiny_shape(heads=(2, 2, 2), units=(96, 96, 96))


class Killed(Exception):
    pass


@pytest.fixture
def given(tmp_path: Path) -> ChainInput:
    checkpoint = tiny_checkpoint(tmp_path / "tiny", shape=SHAPE)
    return ChainInput(
        checkpoint=checkpoint,
        train=Split("films", "train", ROWS),
        max_tokens=64,
        seed=5,
        work=tmp_path / "work",
        target="fp32@torch",
        latency_s=seconds,
        report=lambda what, done: None,
    )


def seconds(shape: EncoderShape) -> float:
    """Not quite a sum over heads and units."""
    return float((0.1 + 0.02 * sum(shape.heads) + 0.001 * sum(shape.units)) ** 0.9)


def pruned(given: ChainInput, limit: str, passes: float = 3.0) -> Path:
    checkpoint, _ = run_steps((Movement(limit, passes),), given)
    return checkpoint


def test_a_budget_of_multiplications_is_kept(given: ChainInput) -> None:
    shape = read_shape(pruned(given, "macs<=60%"))
    # Texts of the data have 8 tokens, with those that mark their ends.
    assert 0.4 < macs_per_token(shape, 8) / macs_per_token(SHAPE, 8) <= 0.6


def test_a_budget_of_weights_is_kept(given: ChainInput) -> None:
    shape = read_shape(pruned(given, "parameters<=70%"))
    assert 0.5 < encoder_parameters(shape) / encoder_parameters(SHAPE) <= 0.7


def test_a_budget_of_time_is_kept_as_it_is_measured(given: ChainInput) -> None:
    shape = read_shape(pruned(given, "latency<=75%"))
    assert 0.5 < seconds(shape) / seconds(SHAPE) <= 0.75


def test_the_published_form_has_a_strength_instead(given: ChainInput) -> None:
    weak, strong = (read_shape(pruned(given, limit, 40.0)) for limit in ("lambda=0", "lambda=50"))
    assert encoder_parameters(strong) < encoder_parameters(weak)


@pytest.mark.parametrize(("limit", "least"), [("macs<=20%", "40.5 %"), ("latency<=20%", "")])
def test_a_budget_below_the_least_is_refused_before_any_work(given: ChainInput, limit: str, least: str) -> None:
    told: list[str] = []
    with pytest.raises(
        RecipeError, match=rf"cannot get to {limit}, only to .*{least} \(a head and 32 units in each of 3"
    ):
        pruned(replace(given, report=lambda what, done: told.append(what)), limit)
    assert told == [], "nobody asked the teacher either"


def test_a_time_that_does_not_get_less_is_refused_with_what_was_measured(
    given: ChainInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movement_pruning, "_TRIES", 2)
    found = iter((0.5, 1.0, 0.8, 0.8))  # of the least, of all, with fewer heads, with fewer units
    with pytest.raises(RecipeError, match=r"cannot get to latency<=60%, only to 60.1 % \(as measured\)"):
        pruned(replace(given, latency_s=lambda shape: next(found, 0.601)), "latency<=60%")


@pytest.mark.parametrize("limit", ["macs<=60%", "latency<=75%", "lambda=0.05"])
def test_interrupted_anywhere_it_ends_at_the_same_weights(
    given: ChainInput, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    expected = load_checkpoint(pruned(replace(given, work=tmp_path / "whole"), limit)).state_dict()
    for stop_at in (0.1, 0.3, 0.45, 0.5, 0.8):

        def report(what: str, done: float, stop_at: float = stop_at) -> None:
            if " step " in what and done >= stop_at:
                raise Killed

        with pytest.raises(Killed):
            pruned(replace(given, report=report), limit)
    found = load_checkpoint(pruned(given, limit)).state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_a_report_lies_beside_the_weights(given: ChainInput) -> None:
    report = pruned(given, "macs<=60%") / "report"
    assert sorted(file.name for file in report.rglob("layers.*")) == ["layers.csv", "layers.svg"]


def test_only_a_budget_of_time_depends_on_the_engine() -> None:
    found = [Movement(limit).uses_latency for limit in ("macs<=50%", "parameters<=50%", "lambda=0.05", "latency<=50%")]
    assert found == [False, False, False, True]
