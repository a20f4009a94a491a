"""PyTorch, eager: on the CPU, or on a GPU where that is asked for."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from handlers.backends.base import Batch, Logits, SessionInfo, Threads
from model_store.errors import BackendError, UnsupportedCheckpoint
from model_store.manifest import Layout
from networks.encoder import PACKED_INPUTS, BertClassifier, load_checkpoint

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

Network = Callable[..., torch.Tensor]
"""Takes the packed inputs in the order of `PACKED_INPUTS`, returns logits."""


class TorchSession:
    """A network of PyTorch, however it was made ready, behind the interface of all engines."""

    def __init__(self, network: Network, info: SessionInfo, device: str = "cpu") -> None:
        self._network = network
        self._device = torch.device(device)
        self.info = info

    def run(self, batch: Batch) -> Logits:
        arrays = batch.inputs()
        if torch.get_num_threads() != self.info.threads.per_stream:  # the process's own, and another session may set it
            torch.set_num_threads(self.info.threads.per_stream)
        try:
            with torch.inference_mode():
                inputs = [torch.from_numpy(arrays[name]).to(self._device) for name in PACKED_INPUTS]
                logits = self._network(*inputs).float().cpu().numpy()
        except Exception as exc:  # an index beyond the vocabulary is an IndexError
            raise BackendError(f"PyTorch failed on a batch: {exc}") from exc
        return logits

    def close(self) -> None:
        del self._network


def load_network(artifact: Path, precision: str, layout: Layout) -> BertClassifier:
    """The network of a checkpoint folder, of which `artifact` is the `model.safetensors`.

    Raises:
        BackendError: it cannot be loaded, or not in this precision.
    """
    if precision not in _DTYPES:
        raise BackendError(f"PyTorch cannot run {precision!r}; the precisions are {', '.join(_DTYPES)}.")
    if layout != "packed":
        raise BackendError(f"PyTorch runs checkpoints, which are packed; {artifact.name!r} is said to be {layout}.")
    try:
        return load_checkpoint(artifact.parent).to(_DTYPES[precision])
    except UnsupportedCheckpoint as exc:
        raise BackendError(f"PyTorch cannot load {artifact.name!r}: {exc}") from exc


def network_info(engine: str, network: BertClassifier, threads: Threads) -> SessionInfo:
    modules = Counter(type(module).__name__ for module in network.modules() if not list(module.children()))
    return SessionInfo(
        engine,
        str(torch.__version__),
        str(next(network.parameters()).dtype).removeprefix("torch."),
        threads,
        instruction_set=torch.backends.cpu.get_cpu_capability().lower(),
        operators=modules,
    )


def open_session(artifact: Path, precision: str, threads: Threads, layout: Layout) -> TorchSession:
    network = load_network(artifact, precision, layout)
    return TorchSession(network, network_info("torch", network, threads))
