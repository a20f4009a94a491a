from pathlib import Path

import pytest
import torch
from torch import Tensor

from networks.checkpoint import load_checkpoint
from networks.encoder.modules import PACKED_INPUTS, PackedEncoder
from networks.encoder.prefix import LayerPrefix, SubNetwork, kept_layers, prefix_logits, shape_of, shared_prefix
from networks.encoder.slicing import LAYERS, sliced
from tests.tiny import packed_texts, tiny_checkpoint, tiny_shape

KEPT: tuple[SubNetwork, ...] = (
    (LayerPrefix(0, 2, 64), LayerPrefix(1, 2, 64), LayerPrefix(2, 2, 64)),
    (LayerPrefix(0, 1, 24), LayerPrefix(1, 2, 1), LayerPrefix(2, 1, 64)),
    (LayerPrefix(0, 1, 7), LayerPrefix(2, 2, 40)),
    (LayerPrefix(1, 1, 1),),
)


@pytest.fixture
def encoder(tmp_path: Path) -> PackedEncoder:
    return load_checkpoint(tiny_checkpoint(tmp_path, shape=tiny_shape(heads=(2, 2, 2), units=(64, 64, 64))))


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Tensor]:
    texts = packed_texts(tiny_checkpoint(tmp_path / "texts"))
    return {name: torch.from_numpy(texts[name]) for name in PACKED_INPUTS}


def masked(encoder: PackedEncoder, kept: SubNetwork) -> PackedEncoder:
    """The encoder with all other heads and units silenced by zeros behind them, and without the other layers."""
    whole = sliced(encoder, kept_layers(tuple(LayerPrefix(one.layer, 2, 64) for one in kept)))
    weights = dict(whole.named_parameters())
    with torch.no_grad():
        for place, one in enumerate(kept):
            columns = one.heads * encoder.shape.head_size
            weights[f"{LAYERS}{place}.attention.output.dense.weight"][:, columns:] = 0
            weights[f"{LAYERS}{place}.output.dense.weight"][:, one.units :] = 0
    return whole


@pytest.mark.parametrize("kept", KEPT)
def test_a_prefix_computes_what_masking_and_what_slicing_compute(
    encoder: PackedEncoder, inputs: dict[str, Tensor], kept: SubNetwork
) -> None:
    small = sliced(encoder, kept_layers(kept))
    assert small.shape == shape_of(encoder.shape, kept)
    with torch.inference_mode():
        expected = masked(encoder, kept)(**inputs)
        answers = (small(**inputs), shared_prefix(encoder, kept)(**inputs), prefix_logits(encoder, kept, inputs))
    for found in answers:
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_only_what_a_prefix_holds_is_trained_by_it(encoder: PackedEncoder, inputs: dict[str, Tensor]) -> None:
    weights = dict(encoder.named_parameters())
    prefix_logits(encoder, (LayerPrefix(0, 1, 24), LayerPrefix(2, 2, 64)), inputs).sum().backward()  # type: ignore[no-untyped-call]
    columns = weights[f"{LAYERS}0.attention.output.dense.weight"].grad
    rows = weights[f"{LAYERS}0.intermediate.dense.weight"].grad
    assert columns is not None
    assert rows is not None
    assert columns[:, :16].count_nonzero() > 0
    assert columns[:, 16:].count_nonzero() == 0
    assert rows[:24].count_nonzero() > 0
    assert rows[24:].count_nonzero() == 0
    assert all(weight.grad is None for name, weight in weights.items() if name.startswith(f"{LAYERS}1."))


def test_a_shared_prefix_reads_the_weights_of_the_whole(encoder: PackedEncoder) -> None:
    small = shared_prefix(encoder, KEPT[1])
    whole = encoder.state_dict()[f"{LAYERS}0.intermediate.dense.weight"]
    assert small.state_dict()[f"{LAYERS}0.intermediate.dense.weight"].data_ptr() == whole.data_ptr()
    assert not small.training
    assert shared_prefix(encoder.train(), KEPT[1]).training
