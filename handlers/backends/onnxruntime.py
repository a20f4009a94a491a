"""ONNX Runtime on the CPU. It executes a graph in the precisions its operators state."""

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

# Before the import: unless told not to, it tells its makers of every model that it loads.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

from handlers.backends.base import ArtifactFile, Batch, Logits, Placement, SessionInfo
from handlers.backends.processor import instruction_set
from handlers.backends.signature import Port, Signature, read_signature
from model_store.errors import BackendError
from model_store.manifest import Layout

# Measured: the fused kernel takes longer than the addition and the normalization that it replaces.
SLOW_FUSIONS = ["SkipLayerNormFusion"]


class OnnxRuntimeSession:
    def __init__(self, session: ort.InferenceSession, placement: Placement, signature: Signature) -> None:
        self._session = session
        self._signature = signature
        self._output = session.get_outputs()[signature.output].name
        operators, integer = _executed(session, signature, self._output)
        self.info = SessionInfo(
            "onnxruntime",
            ort.__version__,
            "int8" if integer else "fp32",
            placement,
            grid=signature.grid(),
            instruction_set=instruction_set(),
            operators=operators,
            integer_operators=integer,
        )

    def run(self, batch: Batch) -> Logits:
        try:
            (logits,) = self._session.run([self._output], self._signature.feeds(batch.inputs()))
        except Exception as exc:
            raise BackendError(f"ONNX Runtime failed on a batch: {exc}") from exc
        return logits.astype(np.float32, copy=False)  # type: ignore[no-any-return]

    @property
    def options(self) -> ort.SessionOptions:
        """What the engine was opened with."""
        return self._session.get_session_options()

    def close(self) -> None:
        del self._session


def _executed(session: ort.InferenceSession, signature: Signature, output: str) -> tuple[Counter[str], Counter[str]]:
    """What one call executes: operators by type, and those of them that are fed with bytes.

    Read off the engine's own profile of a call with one token, since its optimized graph is not to be had otherwise.
    The profile ends with that call.
    """
    session.run([output], signature.feeds(signature.one_token()))
    profile = Path(session.end_profiling())
    try:
        events = msgspec.json.decode(profile.read_bytes(), type=list[dict[str, Any]])
    finally:
        profile.unlink()
    executed = [event["args"] for event in events if event["name"].endswith("_kernel_time")]
    return (
        Counter(one["op_name"] for one in executed),
        Counter(one["op_name"] for one in executed if _is_integer(one["input_type_shape"])),
    )


def _is_integer(inputs: list[dict[str, Any]]) -> bool:
    """Whether an operator computes with bytes; one that only makes floats of them has one such input, and floats."""
    return sum(bool({"int8", "uint8"} & one.keys()) for one in inputs) > 1


def _signature(session: ort.InferenceSession, file: str, layout: Layout) -> Signature:
    def ports(arguments: list[ort.NodeArg]) -> list[Port]:
        return [
            # A type reads `tensor(int64)`; a dimension that is not fixed has a name, or None.
            Port(one.name, one.type[7:-1], tuple(n if isinstance(n, int) else None for n in one.shape))
            for one in arguments
        ]

    return read_signature(file, layout, ports(session.get_inputs()), ports(session.get_outputs()))


def open_session(artifact: ArtifactFile, placement: Placement) -> OnnxRuntimeSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = placement.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # It would keep a plan of its memory for every shape of inputs that it has ever met, so memory would never stop
    # growing.
    options.enable_mem_pattern = False
    # Idle threads must not take the core that other streams and the front need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Its softmax makes denormal numbers of masked attention, which cost processors of some makes a hundred times what
    # others do: packed rows ran at two thirds of their speed. Placement born after the session inherit the setting.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.log_severity_level = 4  # errors are raised, and need not be printed besides
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        try:
            session = ort.InferenceSession(
                artifact.path, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
            )
            return OnnxRuntimeSession(session, placement, _signature(session, artifact.path.name, artifact.layout))
        except BackendError:
            raise
        except Exception as exc:
            # Its message holds the whole path, which is none of a client's business.
            reason = str(exc).replace(str(artifact.path), artifact.path.name)
            raise BackendError(f"ONNX Runtime cannot load {artifact.path.name!r}: {reason}") from exc
