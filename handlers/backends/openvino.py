"""OpenVINO on the CPU, with the execution precision pinned: left alone it runs bf16 on some processors."""

import re
import threading
from collections import Counter
from typing import Any

import numpy as np
import openvino as ov

from handlers.backends.base import ArtifactFile, Batch, Logits, Placement, SessionInfo
from handlers.backends.processor import instruction_set
from handlers.backends.signature import INPUT_NAMES, Port, Signature, check_alike, read_signature
from handlers.tokens.packing import Int64Array, PackedBatch
from model_store.errors import BackendError
from model_store.manifest import Layout

# The parts of a graph that are not quantized run in this; an INT8 graph's integer parts stay integer.
_FLOAT_PRECISION = {"fp32": "f32", "int8": "f32", "bf16": "bf16", "int8+bf16": "bf16"}

_INSTRUCTION_SET = re.compile(r"(?:sse|avx|amx)\w*(?=_)")

# OpenVINO compiles its kernels anew for each shape it meets, which takes an INT8 graph ten times as long as running
# them. With rows in steps of 16 tokens (the height of a tile of the AMX units) a server meets all shapes at warm-up.
WIDTH_STEP = 16

# A padded row holds one text, so that a step adds more to it. Measured on SST-2's sentences: 19 % of padding instead of
# 31 %, and a tenth more answers.
PADDED_WIDTH_STEP = 8


class OpenVinoSession:
    def __init__(self, compiled: ov.CompiledModel, precision: str, placement: Placement, signature: Signature) -> None:
        self._compiled = compiled
        self._signature = signature
        self._local = threading.local()
        grid = signature.grid(PADDED_WIDTH_STEP, doubling=True)
        executed = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self.info = SessionInfo(
            "openvino",
            ov.__version__.split("-", maxsplit=1)[0],
            f"int8+{executed}" if precision.startswith("int8") else executed,
            placement,
            width_step=1 if grid else WIDTH_STEP,
            grid=grid,
            **_executed(compiled),
        )

    def run(self, batch: Batch) -> Logits:
        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        request, arrays = self._local.request, batch.inputs()
        # With one stream it would answer all the same; with several, it would refuse good batches after the bad one.
        check_alike("OpenVINO", arrays)
        if isinstance(batch, PackedBatch):
            arrays["cls_index"] = _to_power_of_two(batch.cls_index)
        try:
            request.infer(self._signature.feeds(arrays), share_inputs=True)
        except RuntimeError as exc:
            raise BackendError(f"OpenVINO failed on a batch: {exc}") from exc
        # The tensor is the engine's own memory, overwritten by this thread's next call.
        logits = np.array(request.get_output_tensor(self._signature.output).data, np.float32)
        return logits[: len(batch.cls_index)] if isinstance(batch, PackedBatch) else logits

    def close(self) -> None:
        self._local = threading.local()
        del self._compiled


def _executed(compiled: ov.CompiledModel) -> dict[str, Any]:
    """Of the graph as it was compiled: operators by type, those that are integer, and the kernels' instruction set."""
    nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    kinds = [(str(node["layerType"].value), str(node["primitiveType"].value)) for node in nodes]
    computing = [(kind, kernel) for kind, kernel in kinds if kind not in ("Const", "Input", "Output")]
    # A kernel is called like `brgemm_avx512_amx_I8`: its kind, the instructions that it was made for, its precision.
    integer = [kind for kind, kernel in computing if kernel.lower().endswith(("_i8", "_u8"))]
    sets = Counter(found[0] for _, kernel in computing if (found := _INSTRUCTION_SET.search(kernel)))
    return {
        "operators": Counter(kind for kind, _ in computing),
        "integer_operators": Counter(integer),
        "instruction_set": sets.most_common(1)[0][0] if sets else instruction_set(),
    }


def _to_power_of_two(cls_index: Int64Array) -> Int64Array:
    """The index, filled up with first tokens that nobody asked for: the number of texts is part of a shape, too."""
    count = len(cls_index)
    filled = np.zeros(1 << (count - 1).bit_length(), np.int64)
    filled[:count] = cls_index
    return filled


def _signature(compiled: ov.CompiledModel, file: str, layout: Layout) -> Signature:
    def ports(nodes: list[ov.ConstOutput]) -> list[Port]:
        return [Port(_name(one), _dtype(one), _dimensions(one.partial_shape)) for one in nodes]

    return read_signature(file, layout, ports(compiled.inputs), ports(compiled.outputs))


def _name(node: ov.ConstOutput) -> str:
    """One of a node's names: it has those of the nodes that were merged into it, too."""
    ours = {*INPUT_NAMES, "logits"} & node.names
    return min(ours or node.names, default="(unnamed)")


def _dtype(node: ov.ConstOutput) -> str:
    name = str(node.element_type.get_type_name())
    return {"i64": "int64", "i32": "int32"}.get(name, name)


def _dimensions(shape: ov.PartialShape) -> tuple[int | None, ...]:
    return () if shape.rank.is_dynamic else tuple(n.get_length() if n.is_static else None for n in shape)


def _prepare_conversion_of_arrays() -> None:
    """Convert a first array before there are threads.

    What the conversion needs is set up on first use, under a lock of C++ that is taken while the interpreter's lock is
    let go: two threads that make the first calls at once wait for each other for ever.
    """
    ov.Tensor(np.zeros(1, np.int64))


def open_session(artifact: ArtifactFile, placement: Placement) -> OpenVinoSession:
    precision = artifact.precision
    if precision not in _FLOAT_PRECISION:
        raise BackendError(f"OpenVINO cannot run {precision!r}; the precisions are {', '.join(_FLOAT_PRECISION)}.")
    config = {
        "INFERENCE_PRECISION_HINT": _FLOAT_PRECISION[precision],
        "NUM_STREAMS": str(placement.streams),
        "INFERENCE_NUM_THREADS": str(placement.streams * placement.threads),
        "ENABLE_CPU_PINNING": "NO",
    }
    _prepare_conversion_of_arrays()
    try:
        compiled = ov.Core().compile_model(artifact.path, "CPU", config)
    except RuntimeError as exc:
        # Its message is a trace through its own sources that ends with the reason, which may hold the whole path.
        reason = str(exc).replace(str(artifact.path), artifact.path.name).strip().splitlines()[-1]
        raise BackendError(f"OpenVINO cannot load {artifact.path.name!r}: {reason}") from exc
    executed = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if executed != _FLOAT_PRECISION[precision]:
        raise BackendError(
            f"OpenVINO runs {executed} on this processor where {artifact.path.name!r} is for "
            f"{_FLOAT_PRECISION[precision]}; serve another variant here, or build this one without OpenVINO."
        )
    return OpenVinoSession(compiled, precision, placement, _signature(compiled, artifact.path.name, artifact.layout))
