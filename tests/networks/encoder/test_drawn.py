import pytest
import torch

from networks.encoder.drawn import drawn_encoder
from tests.tiny import tiny_shape


def test_the_seed_gives_the_weights_and_leaves_other_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (drawn_encoder(tiny_shape(), seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(again[name], weight) for name, weight in first.items())
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_spread_as_asked_and_biases_are_nothing() -> None:
    weights = drawn_encoder(tiny_shape(), seed=0, std=0.05).state_dict()
    assert weights["bert.embeddings.word_embeddings.weight"].std().item() == pytest.approx(0.05, rel=0.1)
    assert weights["bert.encoder.layer.1.intermediate.dense.weight"].std().item() == pytest.approx(0.05, rel=0.1)
    assert weights["bert.encoder.layer.1.intermediate.dense.bias"].count_nonzero() == 0
