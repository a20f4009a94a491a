"""PyTorch through `torch.compile`, its weights frozen into the code; the same checkpoints as `torch`.

Loads for as long as the compiler takes, up to minutes, and then runs calls of any shape.
"""

import os
import shutil

import torch
from torch._inductor import config

from handlers.backends.base import ArtifactFile, Placement
from handlers.backends.torch import TorchSession, load_network, network_info
from model_store.errors import BackendError


def open_session(artifact: ArtifactFile, placement: Placement) -> TorchSession:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise BackendError(
            f"torch.compile needs a C++ compiler, and {compiler} is not here; install it, or use @torch."
        )
    network = load_network(artifact)
    config.freezing = True
    compiled = torch.compile(network, dynamic=True)
    return TorchSession(compiled, network_info("torch-compiled", network, placement))
