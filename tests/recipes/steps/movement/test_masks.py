import pytest
import torch
from torch import Tensor, nn

from networks.encoder.modules import PACKED_INPUTS, PackedEncoder
from networks.encoder.slicing import LAYERS
from recipes.steps.movement.masks import BlockMask, MaskedEncoder
from tests.tiny import random_packed, tiny_shape

INPUTS = {name: torch.from_numpy(one) for name, one in random_packed([[5], [7]], 8).items()}
QUERY = f"{LAYERS}0.attention.self.query.weight"


@pytest.fixture
def encoder() -> PackedEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return PackedEncoder(tiny_shape()).eval()


def block_sums(matrix: Tensor, rows: int, columns: int) -> Tensor:
    """The sum over each of so many blocks, one at a time."""
    height, width = matrix.shape[0] // rows, matrix.shape[1] // columns
    sums = [
        matrix[row * height : (row + 1) * height, column * width : (column + 1) * width].sum()
        for row in range(rows)
        for column in range(columns)
    ]
    return torch.stack(sums).view(rows, columns)


def test_a_block_is_multiplied_by_its_mask() -> None:
    mask, weight = BlockMask(2, 3), torch.randn(4, 9)
    mask.kept[0, 1] = 0
    expected = weight.clone()
    expected[:2, 3:6] = 0
    assert torch.equal(mask(weight), expected)


def test_scores_change_no_value_of_the_mask() -> None:
    mask, weight = BlockMask(2, 3), torch.randn(4, 9)
    nn.init.uniform_(mask.scores, -1e4, 1e4)
    assert torch.equal(mask(weight), weight)


def test_the_gradient_of_a_score_is_the_movement_of_its_block_also_where_it_is_masked() -> None:
    weight = torch.randn(64, 32, requires_grad=True)
    mask = BlockMask(2, 4)
    mask.kept[1, 2] = 0
    masked = mask(weight)
    masked.retain_grad()
    (masked @ torch.randn(32, 5)).tanh().square().sum().backward()
    assert masked.grad is not None
    assert mask.scores.grad is not None
    torch.testing.assert_close(mask.scores.grad, block_sums(masked.grad * weight.detach(), 2, 4), rtol=1e-4, atol=1e-4)
    assert mask.scores.grad[1, 2] != 0
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, masked.grad * mask.kept.repeat_interleave(32, 0).repeat_interleave(8, 1))


def test_the_running_mean_is_of_squared_movements() -> None:
    mask = BlockMask(1, 2)
    for gradient in (2.0, 4.0):
        mask.scores.grad = torch.tensor([[gradient, 0.0]])
        mask.note_movement()
    share = 1 / 200
    assert mask.moved[0].tolist() == pytest.approx([share * 16 + (1 - share) * share * 4, 0.0])


def test_without_masked_blocks_the_encoder_answers_as_ever(encoder: PackedEncoder) -> None:
    masked = MaskedEncoder(encoder, {QUERY: BlockMask(2, 2)}).eval()
    torch.testing.assert_close(masked(**INPUTS), encoder(*(INPUTS[name] for name in PACKED_INPUTS)), atol=0, rtol=0)


def test_a_masked_block_is_as_a_weight_of_zero(encoder: PackedEncoder) -> None:
    masked = MaskedEncoder(encoder, {QUERY: BlockMask(2, 2)}).eval()
    masked.masks[QUERY].kept[1, 0] = 0
    found = masked(**INPUTS)
    with torch.no_grad():
        dict(encoder.named_parameters())[QUERY][16:, :16] = 0
    torch.testing.assert_close(found, encoder(**INPUTS), atol=0, rtol=0)


def test_all_that_a_training_must_keep_is_in_the_state(encoder: PackedEncoder) -> None:
    state = MaskedEncoder(encoder, {QUERY: BlockMask(2, 2)}).state_dict()
    others = {name.rpartition(".")[2] for name in state if not name.startswith("encoder.")}
    assert others == {"scores", "kept", "moved", "first_threshold"}
