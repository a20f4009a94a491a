import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model_store.errors import UnsupportedCheckpoint
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import Weights
from networks.pretrained import load_pretrained
from tests.tiny import tiny_checkpoint

LABELS = ("negative", "positive")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path)


def rewrite(checkpoint: Path, change: Callable[[Weights], Weights]) -> Weights:
    """Change the weights of a checkpoint; as they were."""
    weights = load_file(checkpoint / "model.safetensors")
    save_file(change(dict(weights)), checkpoint / "model.safetensors")
    return weights


def without(*prefixes: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name: weight for name, weight in weights.items() if not name.startswith(prefixes)}


def test_a_head_for_the_same_labels_is_kept(checkpoint: Path) -> None:
    found = load_pretrained(checkpoint, ("Negative", "Positive"), seed=0)
    assert found.drawn == ()
    assert found.encoder.shape.labels == ("Negative", "Positive")
    weights = found.encoder.state_dict()
    assert all(torch.equal(weights[name], one) for name, one in load_checkpoint(checkpoint).state_dict().items())


def test_a_head_for_other_labels_is_drawn_from_the_seed(checkpoint: Path) -> None:
    first, again, other = (load_pretrained(checkpoint, ("a", "b", "c"), seed) for seed in (0, 0, 1))
    assert first.drawn == ("classifier",)
    heads = [one.encoder.classifier.weight for one in (first, again, other)]
    assert heads[0].shape == (3, 32)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    pooler = "bert.pooler.dense.weight"
    assert torch.equal(first.encoder.state_dict()[pooler], load_file(checkpoint / "model.safetensors")[pooler])


def test_an_encoder_without_any_head_and_prefix_is_read(checkpoint: Path) -> None:
    """As `BertModel(..., add_pooling_layer=False).save_pretrained` writes it."""

    def bare(weights: Weights) -> Weights:
        kept = without("classifier", "bert.pooler")(weights)
        return {name.removeprefix("bert."): weight for name, weight in kept.items()}

    before = rewrite(checkpoint, bare)
    found = load_pretrained(checkpoint, LABELS, seed=0)
    assert found.drawn == ("pooler", "classifier")
    weights = found.encoder.state_dict()
    assert all(torch.equal(weights[name], one) for name, one in without("classifier", "bert.pooler")(before).items())
    assert weights["classifier.bias"].count_nonzero() == 0


def test_the_head_of_the_pretraining_and_old_names_of_norms_are_read(checkpoint: Path) -> None:
    def published(weights: Weights) -> Weights:
        kept = without("classifier")(weights)
        old = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): weight for name, weight in kept.items()}
        return old | {"cls.predictions.bias": torch.zeros(3), "bert.embeddings.position_ids": torch.arange(64)}

    rewrite(checkpoint, published)
    assert load_pretrained(checkpoint, LABELS, seed=0).drawn == ("classifier",)


def test_weights_that_no_encoder_has_are_named(checkpoint: Path) -> None:
    name = "bert.encoder.layer.0.attention.self.query.lora_A.weight"
    rewrite(checkpoint, lambda weights: weights | {name: torch.zeros(2, 32)})
    with pytest.raises(UnsupportedCheckpoint, match=rf"has weights that no encoder .* has: {name}; give a checkpoint"):
        load_pretrained(checkpoint, LABELS, seed=0)


def test_missing_weights_of_the_encoder_are_named(checkpoint: Path) -> None:
    rewrite(checkpoint, without("bert.encoder.layer.1.output"))
    with pytest.raises(UnsupportedCheckpoint, match=r"lacks weights .*layer.1.output.LayerNorm.bias.* and 1 more;"):
        load_pretrained(checkpoint, LABELS, seed=0)


def test_weights_of_another_shape_are_named(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"units_kept": [64, 60]}))
    with pytest.raises(UnsupportedCheckpoint, match=r"another shape than its config.json says: bert.encoder.layer.1"):
        load_pretrained(checkpoint, LABELS, seed=0)


def test_another_kind_of_model_is_refused(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    with pytest.raises(UnsupportedCheckpoint, match="model_type = 'gpt2'; only these architectures are read: bert"):
        load_pretrained(checkpoint, LABELS, seed=0)


def test_other_sizes_of_the_encoder_are_read_from_its_configuration(checkpoint: Path) -> None:
    assert load_pretrained(checkpoint, ("x",), 0).encoder.shape == replace(
        load_checkpoint(checkpoint).shape, labels=("x",)
    )
