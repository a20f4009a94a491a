"""An encoder with weights that are drawn at random, to be trained."""

import torch
from torch import nn

from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape


def drawn_encoder(shape: EncoderShape, seed: int, std: float = 0.02) -> PackedEncoder:
    """Weights of products and embeddings from a normal distribution around 0, biases 0; the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = PackedEncoder(shape)
        for module in encoder.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=std)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
    return encoder
