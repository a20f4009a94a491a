from pathlib import Path

import pytest

from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint
from networks.encoder.prefix import shared_prefix
from recipes.steps import nas_supernet as supernet
from recipes.steps.base import StepInput
from recipes.steps.nas_supernet import Sandwich, trained_supernet
from recipes.work.progress import silent
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

# Good texts are those that call a film good.
TEXTS_OF = tuple((f"{text} {word}", target) for text, _ in TEXTS for word, target in (("good", 1), ("bad", 0)))
ROWS = tuple(Row(text, None, target) for text, target in TEXTS_OF)


@pytest.fixture
def given(tmp_path: Path) -> StepInput:
    checkpoint = tiny_checkpoint(tmp_path / "tiny", shape=tiny_shape(heads=(2, 2, 2), units=(24, 24, 24)))
    return StepInput(
        checkpoint=checkpoint,
        tokenizer=checkpoint / "tokenizer.json",
        max_tokens=64,
        train=Split("films", "train", ROWS),
        validation=Split("films", "validation", ROWS),
        teacher=None,
        seed=1,
        work=tmp_path / "work",
        shared=tmp_path / "shared",
        latency_s=lambda shape: 1.0,
        report=silent,
    )


def test_it_teaches_the_whole_the_smallest_and_all_between(given: StepInput) -> None:
    found = trained_supernet(given, Sandwich(passes=120, learning_rate=2e-3, batch=6))
    encoder, rows = load_checkpoint(found.checkpoint), supernet.choosing_rows(given)
    space = found.space
    for kept in (space.largest, space.subnetwork(space.scaled(0.5)), space.smallest):
        assert rows.accuracy(shared_prefix(encoder, kept)) >= 0.9
    assert found.origin.chance == 0.5
    assert found.curve[-1].step == 240
    assert sorted(space.drop_order) == [0, 1, 2]


def test_it_is_trained_once_for_all_who_ask(given: StepInput, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained_supernet(given, Sandwich(passes=1))
    weights = (first.checkpoint / "model.safetensors").read_bytes()

    def never(*arguments: object) -> None:
        raise AssertionError("it was trained already")

    monkeypatch.setattr(supernet, "train", never)
    assert trained_supernet(given, Sandwich(passes=1)) == first
    assert (first.checkpoint / "model.safetensors").read_bytes() == weights
    assert not (first.folder / "training.safetensors").exists()
    with pytest.raises(AssertionError, match="already"):
        trained_supernet(given, Sandwich(passes=2))
