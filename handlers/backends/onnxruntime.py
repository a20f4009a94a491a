"""ONNX Runtime on the CPU. It executes a graph in the precisions its operators state."""

from pathlib import Path

import onnxruntime as ort

from handlers.backends.base import Logits, SessionInfo, Threads
from handlers.packing import PackedBatch
from model_store.errors import BackendError


class OnnxRuntimeSession:
    def __init__(self, session: ort.InferenceSession, precision: str, threads: Threads) -> None:
        self._session = session
        self.info = SessionInfo("onnxruntime", ort.__version__, precision, threads)

    def run(self, batch: PackedBatch) -> Logits:
        try:
            (logits,) = self._session.run(["logits"], batch.inputs())
        except Exception as exc:
            raise BackendError(f"ONNX Runtime failed on a batch: {exc}") from exc
        return logits  # type: ignore[no-any-return]

    def close(self) -> None:
        del self._session


def open_session(artifact: Path, precision: str, threads: Threads) -> OnnxRuntimeSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads.per_stream
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Idle threads must not take the core that other streams and the front need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
    except Exception as exc:
        # Its message holds the whole path, which is none of a client's business.
        reason = str(exc).replace(str(artifact), artifact.name)
        raise BackendError(f"ONNX Runtime cannot load {artifact.name!r}: {reason}") from exc
    return OnnxRuntimeSession(session, precision, threads)
