from pathlib import Path

import torch

from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.counts import all_parameters, encoder_parameters, layer_macs_per_token
from networks.encoder.modules import POSITIONS, PackedEncoder
from networks.encoder.slicing import LAYERS, KeptLayer, everything, head_columns, sliced, with_positions
from tests.tiny import PAIRS, TEXTS, packed_texts, tiny_checkpoint, torch_logits

EVERYTHING = (*TEXTS, *PAIRS)


def logits(encoder: PackedEncoder, folder: Path, checkpoint: Path) -> torch.Tensor:
    """What an encoder answers, read from a checkpoint again."""
    save_checkpoint(encoder, folder)
    (folder / "tokenizer.json").write_bytes((checkpoint / "tokenizer.json").read_bytes())
    return torch.from_numpy(torch_logits(folder, packed_texts(checkpoint, EVERYTHING)))


def without(encoder: PackedEncoder, layer: int, heads: list[int], units: list[int]) -> PackedEncoder:
    """The encoder with these heads and units of a layer silenced, by weights of zero behind them."""
    with torch.no_grad():
        weights = dict(encoder.named_parameters())
        weights[f"{LAYERS}{layer}.attention.output.dense.weight"][:, head_columns(heads, encoder.shape.head_size)] = 0
        weights[f"{LAYERS}{layer}.output.dense.weight"][:, units] = 0
    return encoder


def test_all_of_it_cut_out_is_the_same(tmp_path: Path) -> None:
    encoder = load_checkpoint(tiny_checkpoint(tmp_path))
    whole = sliced(encoder, everything(encoder.shape))
    assert whole.shape == encoder.shape
    assert all(torch.equal(weight, whole.state_dict()[name]) for name, weight in encoder.state_dict().items())


def test_what_is_cut_computes_what_masking_computes(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    encoder = load_checkpoint(checkpoint)
    kept = everything(encoder.shape)
    heads, units = encoder.shape.heads[0], encoder.shape.units[0]
    kept[0] = KeptLayer(0, tuple(range(1, heads)), tuple(range(0, units, 3)))
    small = sliced(encoder, kept)
    assert (small.shape.heads[0], small.shape.units[0]) == (heads - 1, len(range(0, units, 3)))
    silenced = without(encoder, 0, [0], [unit for unit in range(units) if unit % 3])
    found, expected = (logits(one, tmp_path / name, checkpoint) for name, one in (("a", small), ("b", silenced)))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_with_fewer_positions_shorter_texts_are_answered_the_same(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    encoder = load_checkpoint(checkpoint)
    short = with_positions(encoder, 16)
    assert short.shape.max_tokens == len(short.state_dict()[POSITIONS]) == 16
    assert not short.training
    assert torch.equal(*(logits(one, tmp_path / name, checkpoint) for name, one in (("a", short), ("b", encoder))))


def test_layers_are_left_out_and_keep_their_order(tmp_path: Path) -> None:
    encoder = load_checkpoint(tiny_checkpoint(tmp_path))
    last = encoder.shape.layers - 1
    small = sliced(encoder, [everything(encoder.shape)[last]])
    assert small.shape.layers == 1
    found = small.state_dict()[f"{LAYERS}0.output.dense.weight"]
    assert torch.equal(found, encoder.state_dict()[f"{LAYERS}{last}.output.dense.weight"])


def test_the_sizes_of_a_shape_are_those_of_its_weights(tmp_path: Path) -> None:
    encoder = load_checkpoint(tiny_checkpoint(tmp_path))
    kept = everything(encoder.shape)
    small = sliced(encoder, [KeptLayer(0, (0,), (1, 2, 3)), kept[1]])
    weights = small.state_dict()
    assert all_parameters(small.shape) == sum(weight.numel() for weight in weights.values())
    layers = {name: weight for name, weight in weights.items() if name.startswith(LAYERS)}
    assert encoder_parameters(small.shape) == sum(weight.numel() for weight in layers.values())
    products = [one for name, one in layers.items() if name.startswith(f"{LAYERS}0.") and one.ndim == 2]
    attention = 2 * 10 * small.shape.head_size
    assert layer_macs_per_token(small.shape, 0, 10) == sum(one.numel() for one in products) + attention
