"""PyTorch, eager, on a GPU; the same checkpoints as `torch`."""

from dataclasses import replace
from pathlib import Path

import torch

from handlers.backends.base import Threads
from handlers.backends.torch import TorchSession, load_network, network_info
from model_store.errors import BackendError
from model_store.manifest import Layout


def open_session(artifact: Path, precision: str, threads: Threads, layout: Layout) -> TorchSession:
    network = load_network(artifact, precision, layout)
    if not torch.cuda.is_available():
        raise BackendError(
            f"PyTorch {torch.__version__} finds no GPU here; serve the variant @torch, or install a build with CUDA "
            "where a GPU is."
        )
    # Otherwise matrix products in fp32 are done with fewer digits than that.
    torch.backends.cuda.matmul.allow_tf32 = False
    info = replace(network_info("torch-cuda", network, threads), instruction_set=torch.cuda.get_device_name())
    return TorchSession(network.to("cuda"), info, "cuda")
