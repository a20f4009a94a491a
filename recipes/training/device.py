"""Where training computes: on a GPU where torch sees one, else on the CPU."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn


def training_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def on_device(inputs: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The inputs where the model's weights are."""
    device = device_of(model)
    return {name: tensor.to(device) for name, tensor in inputs.items()}


def has_fast_bf16() -> bool:
    """Whether products in bf16 are clearly faster than in fp32: on GPUs that have them, and on processors with AMX.

    On a processor with the bf16 of AVX-512 alone an epoch of SST-2 took as long as in fp32.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _has_amx()


def autocast(model: nn.Module, enabled: bool) -> AbstractContextManager[object]:
    """Products in bf16 within the block, weights and sums of the loss in fp32."""
    return torch.autocast(device_of(model).type, torch.bfloat16, enabled=enabled)


def _has_amx() -> bool:
    is_amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(is_amx and is_amx())
