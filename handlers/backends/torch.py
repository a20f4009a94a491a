"""PyTorch, eager: on the CPU, or on a GPU where that is asked for."""

from collections import Counter
from collections.abc import Callable

import torch

from handlers.backends.base import ArtifactFile, Batch, Logits, Placement, SessionInfo
from model_store.errors import BackendError, UnsupportedCheckpoint
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import PACKED_INPUTS, PackedEncoder

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
        if torch.get_num_threads() != self.info.placement.threads:  # the process's own, and another session may set it
            torch.set_num_threads(self.info.placement.threads)
        try:
            with torch.inference_mode():
                inputs = [torch.from_numpy(arrays[name]).to(self._device) for name in PACKED_INPUTS]
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
    name = artifact.path.name
    if artifact.precision not in _DTYPES:
        raise BackendError(f"PyTorch cannot run {artifact.precision!r}; the precisions are {', '.join(_DTYPES)}.")
    if artifact.layout != "packed":
        raise BackendError(f"PyTorch runs checkpoints, which are packed; {name!r} is said to be {artifact.layout}.")
    try:
        return load_checkpoint(artifact.path.parent).to(_DTYPES[artifact.precision])
    except UnsupportedCheckpoint as exc:
        raise BackendError(f"PyTorch cannot load {name!r}: {exc}") from exc


def network_info(engine: str, network: PackedEncoder, placement: Placement) -> SessionInfo:
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
    return TorchSession(network.to("cuda"), network_info("torch-cuda", network, placement), "cuda")
