"""PyTorch, eager, on the CPU."""

from pathlib import Path

import torch

from handlers.backends.base import Batch, Logits, SessionInfo, Threads
from model_store.bert import BertClassifier, load_checkpoint
from model_store.errors import BackendError, UnsupportedCheckpoint
from model_store.manifest import Layout

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TorchSession:
    def __init__(self, model: BertClassifier, threads: Threads) -> None:
        self._model = model
        self._threads = threads.per_stream
        executed = str(next(model.parameters()).dtype).removeprefix("torch.")
        self.info = SessionInfo("torch", str(torch.__version__), executed, threads)

    def run(self, batch: Batch) -> Logits:
        inputs = {name: torch.from_numpy(array) for name, array in batch.inputs().items()}
        if torch.get_num_threads() != self._threads:  # the process's own, and another session may have set it
            torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                logits = self._model(**inputs).float().numpy()
        except Exception as exc:  # an index beyond the vocabulary is an IndexError
            raise BackendError(f"PyTorch failed on a batch: {exc}") from exc
        return logits  # type: ignore[no-any-return]

    def close(self) -> None:
        del self._model


def open_session(artifact: Path, precision: str, threads: Threads, layout: Layout) -> TorchSession:
    """`artifact` is the `model.safetensors` of a checkpoint folder."""
    if precision not in _DTYPES:
        raise BackendError(f"PyTorch cannot run {precision!r}; the precisions are {', '.join(_DTYPES)}.")
    if layout != "packed":
        raise BackendError(f"PyTorch runs checkpoints, which are packed; {artifact.name!r} is said to be {layout}.")
    try:
        model = load_checkpoint(artifact.parent).to(_DTYPES[precision])
    except UnsupportedCheckpoint as exc:
        raise BackendError(f"PyTorch cannot load {artifact.name!r}: {exc}") from exc
    return TorchSession(model, threads)
