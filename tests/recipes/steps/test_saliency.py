from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from networks.encoder.modules import PackedEncoder
from recipes.steps.masks import prunable
from recipes.steps.saliency import saliencies
from recipes.training.batches import RowBatch
from tests.tiny import random_packed, tiny_shape


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def encoder() -> PackedEncoder:
    return PackedEncoder(tiny_shape()).eval()


def batches(count: int = 4) -> list[RowBatch]:
    packed = [random_packed([[7], [5], [9]], 9, seed) for seed in range(count)]
    inputs = [{name: torch.from_numpy(values) for name, values in one.items()} for one in packed]
    return [RowBatch(one, torch.zeros(3, dtype=torch.int64), torch.arange(3)) for one in inputs]


def worth(encoder: PackedEncoder, seed: int = 0, size: int = 1) -> list[Tensor]:
    return saliencies(encoder, prunable(encoder), batches(), seed, size)


def linear(encoder: PackedEncoder, name: str) -> nn.Linear:
    found = encoder.get_submodule(f"bert.encoder.layer.{name}.dense")
    assert isinstance(found, nn.Linear)
    return found


def test_weights_that_no_answer_depends_on_are_worth_nothing_however_large(encoder: PackedEncoder) -> None:
    linear(encoder, "1.output").weight.data[:, :5] = 0.0
    linear(encoder, "1.intermediate").weight.data[:5] *= 100
    scores = worth(encoder)[10].view(64, 32)
    assert float(scores[:5].max()) == 0.0
    assert float(scores[5:].min()) > 0.0


def test_of_weights_that_matter_alike_larger_ones_are_worth_more(encoder: PackedEncoder) -> None:
    scores = torch.cat(worth(encoder))
    sizes = torch.cat([weight.detach().abs().flatten() for weight in prunable(encoder)])
    assert float(torch.corrcoef(torch.stack([scores.log(), sizes.log()]))[0, 1]) > 0.5


def test_a_block_is_worth_what_its_weights_are_together(encoder: PackedEncoder) -> None:
    for single, block in zip(worth(encoder), worth(encoder, size=4), strict=True):
        torch.testing.assert_close(block, single.view(-1, 4).sum(1))


def test_answers_are_drawn_by_the_seed_and_nothing_else_is_changed(encoder: PackedEncoder) -> None:
    encoder.train()
    state = torch.get_rng_state()
    first, again, other = (torch.cat(worth(encoder, seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert encoder.training
    assert all(weight.grad is None for weight in encoder.parameters())
