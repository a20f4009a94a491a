"""ONNX Runtime on the CPU. It executes a graph in the precisions its operators state."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from handlers.backends.base import Batch, Logits, SessionInfo, Threads
from handlers.backends.signature import Port, Signature, read_signature
from model_store.errors import BackendError
from model_store.manifest import Layout

# Measured: the fused kernel takes longer than the addition and the normalization that it replaces.
SLOW_FUSIONS = ["SkipLayerNormFusion"]


class OnnxRuntimeSession:
    def __init__(self, session: ort.InferenceSession, precision: str, threads: Threads, signature: Signature) -> None:
        self._session = session
        self._signature = signature
        self._output = session.get_outputs()[signature.output].name
        self.info = SessionInfo("onnxruntime", ort.__version__, precision, threads, grid=signature.grid())

    def run(self, batch: Batch) -> Logits:
        try:
            (logits,) = self._session.run([self._output], self._signature.feeds(batch.inputs()))
        except Exception as exc:
            raise BackendError(f"ONNX Runtime failed on a batch: {exc}") from exc
        return logits.astype(np.float32, copy=False)  # type: ignore[no-any-return]

    def close(self) -> None:
        del self._session


def _signature(session: ort.InferenceSession, file: str, layout: Layout) -> Signature:
    def ports(arguments: list[ort.NodeArg]) -> list[Port]:
        return [
            # A type reads `tensor(int64)`; a dimension that is not fixed has a name, or None.
            Port(one.name, one.type[7:-1], tuple(n if isinstance(n, int) else None for n in one.shape))
            for one in arguments
        ]

    return read_signature(file, layout, ports(session.get_inputs()), ports(session.get_outputs()))


def open_session(artifact: Path, precision: str, threads: Threads, layout: Layout) -> OnnxRuntimeSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads.per_stream
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Idle threads must not take the core that other streams and the front need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Its softmax makes denormal numbers of masked attention, which cost processors of some makes a hundred times what
    # others do: packed rows ran at two thirds of their speed. Threads born after the session inherit the setting.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(
            artifact, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
        )
    except Exception as exc:
        # Its message holds the whole path, which is none of a client's business.
        reason = str(exc).replace(str(artifact), artifact.name)
        raise BackendError(f"ONNX Runtime cannot load {artifact.name!r}: {reason}") from exc
    return OnnxRuntimeSession(session, precision, threads, _signature(session, artifact.name, layout))
