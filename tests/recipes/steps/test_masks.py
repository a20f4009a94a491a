from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn

from networks.encoder.modules import PackedEncoder
from recipes.steps.masks import KeptZeros, blocks, prunable, prune, zero_share
from tests.tiny import tiny_shape


def matrices(*rows: list[list[float]]) -> list[Tensor]:
    return [torch.tensor(one) for one in rows]


def magnitudes(weights: Sequence[Tensor], size: int) -> list[Tensor]:
    """Scores of the blocks: the sums of their squares."""
    return [blocks(weight, size).square().sum(1) for weight in weights]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_the_six_matrices_of_each_layer_are_pruned_and_nothing_else() -> None:
    encoder = PackedEncoder(tiny_shape(heads=(2, 1), units=(64, 40)))
    sizes = [tuple(weight.shape) for weight in prunable(encoder)]
    assert sizes == [(32, 32)] * 4 + [(64, 32), (32, 64)] + [(16, 32)] * 3 + [(32, 16), (40, 32), (32, 40)]


def test_the_smallest_of_all_weights_together_become_zero() -> None:
    weights = matrices([[1.0, -2.0], [-0.1, 5.0]], [[0.3, -0.2]])
    prune(weights, magnitudes(weights, 1), 0.5, 1)
    assert [weight.tolist() for weight in weights] == [[[1.0, -2.0], [0.0, 5.0]], [[0.0, 0.0]]]


def test_blocks_are_neighbours_along_the_inputs_and_fall_together() -> None:
    weights = matrices([[1.0, 0.125, 0.5, 0.5], [0.25, 0.25, 3.0, 0.0]])
    assert blocks(weights[0], 2).tolist() == [[1.0, 0.125], [0.5, 0.5], [0.25, 0.25], [3.0, 0.0]]
    prune(weights, magnitudes(weights, 2), 0.5, 2)
    assert weights[0].ne(0).tolist() == [[True, True, False, False], [False, False, True, False]]
    assert zero_share(weights, 2) == 0.5
    assert zero_share(weights) == 5 / 8


@pytest.mark.parametrize(("size", "share"), [(1, 0.123), (1, 0.999), (4, 0.5), (4, 0.777)])
def test_the_share_is_met_to_the_block(size: int, share: float) -> None:
    weights = [torch.randn(12, 8), torch.randn(8, 24)]
    prune(weights, magnitudes(weights, size), share, size)
    count = (12 * 8 + 8 * 24) // size
    assert zero_share(weights, size) == round(share * count) / count


def test_zeros_are_counted_first_and_do_not_come_back() -> None:
    weights = [torch.randn(10, 10)]
    prune(weights, magnitudes(weights, 1), 0.3, 1)
    first = weights[0] == 0
    equal = [torch.zeros(100)]
    prune(weights, equal, 0.5, 1)
    assert zero_share(weights) == 0.5
    assert bool((weights[0] == 0)[first].all())
    prune(weights, equal, 0.1, 1)
    assert zero_share(weights) == 0.5


@pytest.mark.parametrize("size", [1, 4])
def test_zeros_stay_while_an_optimizer_with_momentum_moves_the_rest(size: int) -> None:
    weight = nn.Parameter(torch.randn(8, 8))
    optimizer, zeros = torch.optim.AdamW([weight], 0.1), KeptZeros([weight], size)
    pruned = torch.zeros(8, 8, dtype=torch.bool)
    for step in range(6):
        zeros.before_step()
        optimizer.zero_grad()
        weight.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        zeros.after_step()
        assert torch.equal(weight == 0, pruned), f"after step {step}"
        if step == 2:
            prune([weight], magnitudes([weight], size), 0.5, size)
            pruned = weight == 0
    assert int(pruned.sum()) == 32


def test_a_weight_that_lands_on_zero_by_chance_is_not_taken_for_pruned() -> None:
    weight = torch.tensor([[1.0, 0.0, 2.0]])
    zeros = KeptZeros([weight], 1)
    zeros.before_step()
    weight[0, 2] = 0.0
    zeros.after_step()
    assert weight.ne(0).tolist() == [[True, False, True]]
    assert 0 < float(weight[0, 2]) < 1e-10
