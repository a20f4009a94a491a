from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model_store.errors import RecipeError
from recipes.training import loop
from recipes.training.loop import TrainingSettings, train

SETTINGS = TrainingSettings(steps=12, learning_rate=0.05)


class Killed(Exception):
    pass


def model() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))


def batch_of(step: int) -> Tensor:
    return torch.randn(16, 4, generator=torch.Generator().manual_seed(step))


def loss_of(network: nn.Sequential, batch: Tensor) -> Tensor:
    return nn.functional.mse_loss(network(batch), batch.sum(1, keepdim=True))


def trained(work: Path, settings: TrainingSettings = SETTINGS, stop_after: int = 99) -> dict[str, Tensor]:
    def report(what: str, done: float) -> None:
        if what.startswith(f"step {stop_after} "):
            raise Killed

    network = model()
    train(network, batch_of, loss_of, settings, work, report)
    assert not network.training
    return network.state_dict()


@pytest.mark.parametrize("stop_after", [1, 6, 11])
def test_interrupted_it_ends_at_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    expected = trained(tmp_path / "whole")
    with pytest.raises(Killed):
        trained(tmp_path / "work", stop_after=stop_after)
    found = trained(tmp_path / "work")
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_what_was_begun_and_never_written_whole_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "training.safetensors.partial").write_bytes(b"half")
    found, expected = trained(tmp_path), trained(tmp_path / "other")
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_the_seed_is_for_what_is_drawn_on_the_way(tmp_path: Path) -> None:
    other = TrainingSettings(steps=12, learning_rate=0.05, seed=1)
    assert not torch.equal(trained(tmp_path / "a")["0.weight"], trained(tmp_path / "b", other)["0.weight"])


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    with pytest.raises(RecipeError, match="the state of a training with other settings; delete that folder"):
        trained(tmp_path, TrainingSettings(steps=13, learning_rate=0.05))


def test_random_numbers_of_others_are_left_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    trained(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_learning_rate_rises_and_falls() -> None:
    settings = TrainingSettings(steps=20, learning_rate=1.0, warm_up=0.25)
    rates = [settings.learning_rate_at(step) for step in range(20)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == 1.0
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] == pytest.approx(1 / 15)
