import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model_store.errors import RecipeError
from recipes.training import loop
from recipes.training.loop import Checks, Hooks, TrainingSettings, train

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


def score(network: nn.Sequential) -> float:
    with torch.inference_mode():
        return -loss_of(network, batch_of(999)).item()


def trained(
    work: Path,
    settings: TrainingSettings = SETTINGS,
    stop_after: int = 99,
    hooks: Hooks[nn.Sequential] | None = None,
) -> dict[str, Tensor]:
    def report(what: str, done: float) -> None:
        if what.startswith(f"step {stop_after} of"):
            raise Killed

    network = model()
    train(network, batch_of, loss_of, settings, work, report, hooks)
    assert not network.training
    return network.state_dict()


@pytest.mark.parametrize("hooks", [Hooks(), Hooks(checks=Checks(score, every=4))], ids=["plain", "checked"])
@pytest.mark.parametrize("stop_after", [1, 6, 11])
def test_interrupted_it_ends_at_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int, hooks: Hooks[nn.Sequential]
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    expected = trained(tmp_path / "whole", hooks=hooks)
    with pytest.raises(Killed):
        trained(tmp_path / "work", stop_after=stop_after, hooks=hooks)
    found = trained(tmp_path / "work", hooks=hooks)
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


def test_a_training_that_diverges_is_told(tmp_path: Path) -> None:
    def diverging(network: nn.Sequential, batch: Tensor) -> Tensor:
        return loss_of(network, batch) * float("nan")

    with pytest.raises(
        RecipeError, match="The loss is nan at step 0: the training diverged; give a lower learning rate"
    ):
        train(model(), batch_of, diverging, SETTINGS, tmp_path, lambda what, done: None)


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


def test_the_learning_rate_falls_no_further_than_to_its_lowest() -> None:
    settings = TrainingSettings(steps=20, learning_rate=2.0, warm_up=0.25, lowest=0.4)
    rates = [settings.learning_rate_at(step) for step in range(20)]
    assert rates[:6] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0, 2.0])
    assert rates[-1] == pytest.approx(2.0 * (0.4 + 0.6 / 15))


def checked(work: Path, scores: list[float], since: int = 0, patience: int | None = None) -> tuple[int, list[float]]:
    """The step whose weights a training ended with, and the scores of its curve; the checks find these scores."""
    seen: list[dict[str, Tensor]] = []
    left = iter(scores)

    def next_score(network: nn.Sequential) -> float:
        seen.append({name: weight.clone() for name, weight in network.state_dict().items()})
        return next(left)

    network = model()
    hooks = Hooks(checks=Checks(next_score, every=3, since=since, patience=patience))
    curve = train(network, batch_of, loss_of, SETTINGS, work, lambda what, done: None, hooks)
    ended_with = next(i for i, one in enumerate(seen) if torch.equal(one["0.weight"], network.state_dict()["0.weight"]))
    return curve[ended_with].step, [point.score for point in curve]


def test_it_ends_with_the_weights_of_the_best_score(tmp_path: Path) -> None:
    assert checked(tmp_path, [0.1, 0.4, 0.2, 0.4]) == (6, [0.1, 0.4, 0.2, 0.4])


def test_scores_before_a_schedule_is_through_do_not_count(tmp_path: Path) -> None:
    assert checked(tmp_path, [0.9, 0.8, 0.2, 0.3], since=9) == (12, [0.9, 0.8, 0.2, 0.3])


def test_it_ends_early_where_nothing_gets_better(tmp_path: Path) -> None:
    assert checked(tmp_path, [0.4, 0.3, 0.2], patience=2) == (3, [0.4, 0.3, 0.2])
    assert not (tmp_path / "training.safetensors.partial").exists()


def test_a_point_of_the_curve_has_the_mean_loss_since_the_one_before(tmp_path: Path) -> None:
    losses: list[float] = []

    def noted(network: nn.Sequential, batch: Tensor) -> Tensor:
        loss = loss_of(network, batch)
        losses.append(loss.item())
        return loss

    hooks: Hooks[nn.Sequential] = Hooks(checks=Checks(lambda _: 0.5, every=5))
    curve = train(model(), batch_of, noted, SETTINGS, tmp_path, lambda what, done: None, hooks)
    assert [point.step for point in curve] == [5, 10, 12]
    expected = [sum(some) / len(some) for some in (losses[:5], losses[5:10], losses[10:])]
    assert [point.loss for point in curve] == pytest.approx(expected)


def test_progress_says_loss_validation_and_time_left(tmp_path: Path) -> None:
    told: list[str] = []
    hooks: Hooks[nn.Sequential] = Hooks(checks=Checks(lambda _: 0.912, every=6))
    train(model(), batch_of, loss_of, SETTINGS, tmp_path, lambda what, _: told.append(what), hooks)
    assert re.fullmatch(r"step 4 of 12, loss \d+\.\d\d", told[3]), "too early to say how long"
    assert re.match(r"step 6 of 12, loss \d+\.\d\d, validation", told[5])
    assert re.fullmatch(r"step 7 of 12, loss \d+\.\d\d, validation 91\.20 %, \d+ s left", told[6])


def test_hooks_are_called_around_every_change_and_rates_are_of_weights_by_their_name(tmp_path: Path) -> None:
    called: list[tuple[str, int]] = []
    network = model()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    hooks: Hooks[nn.Sequential] = Hooks(
        before_step=lambda step: called.append(("before", step)),
        after_step=lambda step: called.append(("after", step)),
        rates={"2.weight": 0.0},
    )
    train(network, batch_of, loss_of, SETTINGS, tmp_path, lambda what, done: None, hooks)
    assert called[:4] == [("before", 0), ("after", 0), ("before", 1), ("after", 1)]
    assert called[-1] == ("after", 11)
    assert torch.equal(network.state_dict()["2.weight"], before["2.weight"])
    assert not torch.equal(network.state_dict()["2.bias"], before["2.bias"])
