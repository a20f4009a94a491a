"""PyTorch, eager, on the CPU."""

from pathlib import Path

import torch

from handlers.backends.base import Logits, SessionInfo, Threads
from handlers.packing import PackedBatch
from model_store.bert import BertClassifier, load_checkpoint
from model_store.errors import BackendError, UnsupportedCheckpoint

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TorchSession:
    def __init__(self, model: BertClassifier, threads: Threads) -> None:
        self._model = model
        executed = str(next(model.parameters()).dtype).removeprefix("torch.")
        self.info = SessionInfo("torch", str(torch.__version__), executed, threads)

    def run(self, batch: PackedBatch) -> Logits:
        inputs = {name: torch.from_numpy(array) for name, array in batch.inputs().items()}
        try:
            with torch.inference_mode():
                logits = self._model(**inputs).float().numpy()
        except Exception as exc:  # an index beyond the vocabulary is an IndexError
            raise BackendError(f"PyTorch failed on a batch: {exc}") from exc
        return logits  # type: ignore[no-any-return]

    def close(self) -> None:
        del self._model


def open_session(artifact: Path, precision: str, threads: Threads) -> TorchSession:
    """`artifact` is the `model.safetensors` of a checkpoint folder. The thread count is the process's own."""
    if precision not in _DTYPES:
        raise BackendError(f"PyTorch cannot run {precision!r}; the precisions are {', '.join(_DTYPES)}.")
    torch.set_num_threads(threads.per_stream)
    try:
        model = load_checkpoint(artifact.parent).to(_DTYPES[precision])
    except UnsupportedCheckpoint as exc:
        raise BackendError(f"PyTorch cannot load {artifact.name!r}: {exc}") from exc
    return TorchSession(model, threads)
