from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import PACKED_INPUTS
from recipes.data.tokens import load_tokenizer, packed
from recipes.export.variant import ExportInput, export
from recipes.training.evaluation import Evaluation
from recipes.training.rounding import input_ranges, linear_modules, rounded_encoder, rounding_costs
from tests.recipes.export.engines import onnxruntime_logits
from tests.tiny import TEXTS, packed_texts, tiny_checkpoint, tiny_shape, torch_logits


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Pruned, of other shapes per layer, with weights large enough for rounding to be seen."""
    folder = tiny_checkpoint(tmp_path / "tiny", shape=tiny_shape(heads=(2, 1), units=(64, 48)))
    weights = load_file(folder / "model.safetensors")
    weights = {name: weight * 3 if name.endswith("dense.weight") else weight for name, weight in weights.items()}
    save_file(weights, folder / "model.safetensors")
    return folder


def texts_of(checkpoint: Path) -> list[dict[str, np.ndarray]]:
    tokenizer = load_tokenizer(checkpoint / "tokenizer.json", 64)
    return [packed(tokenizer, text) for text in TEXTS]


def test_fake_quantization_computes_what_the_exported_graph_does(checkpoint: Path, tmp_path: Path) -> None:
    out_dir = tmp_path / "int8"
    out_dir.mkdir()
    export(ExportInput(checkpoint, TEXTS, out_dir, lambda what, done: None, backends=("onnxruntime",)), "int8")
    inputs = packed_texts(checkpoint)
    expected = onnxruntime_logits(out_dir / "model.onnx", inputs)
    assert np.abs(expected - torch_logits(checkpoint, inputs)).max() > 5e-3, "rounding is too small to be told"
    encoder = load_checkpoint(checkpoint)
    student = rounded_encoder(encoder, input_ranges(encoder, texts_of(checkpoint)))
    with torch.inference_mode():
        found = student(**{name: torch.from_numpy(values) for name, values in inputs.items()})
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


def test_a_rounded_encoder_is_a_copy_with_the_same_names_that_can_be_trained(checkpoint: Path) -> None:
    encoder = load_checkpoint(checkpoint)
    student = rounded_encoder(encoder, input_ranges(encoder, texts_of(checkpoint)))
    assert student.state_dict().keys() == encoder.state_dict().keys()
    inputs = {name: torch.from_numpy(values) for name, values in packed_texts(checkpoint).items()}
    student(**inputs).sum().backward()
    missing = [name for name, weight in student.named_parameters() if weight.grad is None or not weight.grad.any()]
    # A bias of all keys moves the scores of a token alike, which the softmax does not see.
    assert all(name.endswith("key.bias") for name in missing)
    assert all(weight.grad is None for weight in encoder.parameters())


def test_a_range_of_an_input_is_that_of_texts_asked_alone(checkpoint: Path) -> None:
    encoder = load_checkpoint(checkpoint)
    ranges = input_ranges(encoder, texts_of(checkpoint))
    assert set(ranges) == set(linear_modules(encoder.shape))
    with torch.inference_mode():
        alone = [[torch.from_numpy(one[name]) for name in PACKED_INPUTS[:3]] for one in texts_of(checkpoint)]
        low = min(float(encoder.bert["embeddings"](*one).min()) for one in alone)
    assert ranges["layer.0.attention.qkv"].low == pytest.approx(low)


def test_the_layer_that_rounding_harms_most_costs_most(checkpoint: Path) -> None:
    encoder = load_checkpoint(checkpoint)
    # One weight that is far larger than the others of its unit leaves those a few steps.
    weight = encoder.get_parameter("bert.encoder.layer.1.output.dense.weight")
    weight.data[:, 0] = 20.0
    rows = [Row(text, pair, 0) for text, pair in TEXTS]
    evaluation = Evaluation.of(load_tokenizer(checkpoint / "tokenizer.json", 64), rows)
    costs = rounding_costs(encoder, input_ranges(encoder, texts_of(checkpoint)), evaluation)
    assert max(costs, key=lambda name: costs[name]) == "layer.1.output"
    assert all(cost > 0 for cost in costs.values())
