"""The network as a TorchScript program: traced, its weights made constants."""

import warnings
from pathlib import Path

import torch

from networks.encoder.modules import PackedEncoder


def save_torchscript(model: PackedEncoder, path: Path) -> None:
    """Trace `model` on a call of two texts in one row; the program takes calls of any shape.

    Inputs and output are those of the model, packed.
    """
    tokens = torch.arange(6)[None]
    segments = torch.tensor([[1, 1, 1, 2, 2, 2]])
    example = (tokens % 2, tokens % 3, tokens * 0, segments, torch.tensor([0, 3]))
    with torch.inference_mode(), warnings.catch_warnings():
        # PyTorch has a successor to it; who serves TorchScript knows.
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(model.eval(), example)  # type: ignore[no-untyped-call]
        torch.jit.save(torch.jit.freeze(traced), path)
