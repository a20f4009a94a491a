"""PyTorch, eager: on the CPU, or on a GPU where that is asked for."""

from collections import Counter
from collections.abc import Callable, Sequence

import torch

from handlers.backends.base import ArtifactFile, Batch, Logits, Placement, SessionInfo
from model_store.errors import BackendError, UnsupportedCheckpoint
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import PACKED_INPUTS, PackedEncoder

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

Network = Callable[..., torch.Tensor]
"""Takes the arrays of a batch as tensors, one after the other, and returns logits."""


class TorchSession:
    """A network of PyTorch, however it was made ready, behind the interface of all engines.

    `inputs` are the arrays of a batch that the network takes, in its order.
    """

    def __init__(self, network: Network, info: SessionInfo, inputs: Sequence[str] = PACKED_INPUTS) -> None:
        self._network = network
        self._inputs = inputs
        self.info = info

    def run(self, batch: Batch) -> Logits:
        arrays, placement = batch.inputs(), self.info.placement
        if torch.get_num_threads() != placement.threads:  # the process's own, and another session may set it
            torch.set_num_threads(placement.threads)
        try:
            with torch.inference_mode():
                inputs = [torch.from_numpy(arrays[name]).to(placement.device) for name in self._inputs]
                logits = self._network(*inputs).float().cpu().numpy()
        except Exception as exc:  # an index beyond the vocabulary is an IndexError
            raise BackendError(f"PyTorch failed on a batch: {exc}") from exc
        return logits

    def close(self) -> None:
        del self._network


def load_network(artifact: ArtifactFile) -> PackedEncoder:
    """The network of a checkpoint folder, of which the artifact is the `model.safetensors`.

    Raises:
        BackendError: it cannot be loaded, or not in this precision.
    """
    name, dtype = artifact.path.name, dtype_of(artifact)
    if artifact.layout != "packed":
        raise BackendError(f"PyTorch runs checkpoints, which are packed; {name!r} is said to be {artifact.layout}.")
    try:
        return load_checkpoint(artifact.path.parent).to(dtype)
    except UnsupportedCheckpoint as exc:
        raise BackendError(f"PyTorch cannot load {name!r}: {exc}") from exc


def dtype_of(artifact: ArtifactFile) -> torch.dtype:
    """The type of number that the artifact's precision means; raises BackendError where PyTorch has none for it."""
    if artifact.precision not in _DTYPES:
        raise BackendError(f"PyTorch cannot run {artifact.precision!r}; the precisions are {', '.join(_DTYPES)}.")
    return _DTYPES[artifact.precision]


def network_info(engine: str, network: torch.nn.Module, placement: Placement) -> SessionInfo:
    modules = Counter(type(module).__name__ for module in network.modules() if not list(module.children()))
    cuda = placement.device == "cuda"
    return SessionInfo(
        engine,
        str(torch.__version__),
        str(next(network.parameters()).dtype).removeprefix("torch."),
        placement,
        instruction_set=torch.cuda.get_device_name() if cuda else torch.backends.cpu.get_cpu_capability().lower(),
        operators=modules,
    )


def open_session(artifact: ArtifactFile, placement: Placement) -> TorchSession:
    network = load_network(artifact)
    if placement.device == "cpu":
        return TorchSession(network, network_info("torch", network, placement))
    if not torch.cuda.is_available():
        raise BackendError(
            f"PyTorch {torch.__version__} finds no GPU here; serve the variant @torch, or install a build with CUDA "
            "where a GPU is."
        )
    # Otherwise matrix products in fp32 are done with fewer digits than that.
    torch.backends.cuda.matmul.allow_tf32 = False
    return TorchSession(network.to("cuda"), network_info("torch-cuda", network, placement))
