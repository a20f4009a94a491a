"""DeepSparse on the CPU: the engine that skips the zeros of a pruned model. Its makers do not maintain it any more.

It compiles a graph for one shape of its inputs, so that a call has one row, as wide as a multiple of `WIDTH_STEP`, and
a fixed number of texts. Each width is compiled when it is first met, which for a server is at warm-up.
"""

import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# Before the import: unless told not to, it asks a service where this machine is, and tells its makers of every start.
os.environ["NM_DISABLE_ANALYTICS"] = "True"

import deepsparse
import onnx
from deepsparse.engine import Engine, Scheduler
from onnx import ModelProto, TensorProto

from handlers.backends.base import ArtifactFile, Batch, Logits, Placement, SessionInfo
from handlers.backends.signature import Port, Signature, check_alike, read_signature
from handlers.tokens.packing import Int64Array, PackedBatch, row_width
from model_store.errors import BackendError

log = logging.getLogger("paretoserve.worker")

# Its logger prints past ours, and warns that the shapes which we set are not overridden.
logging.getLogger("deepsparse").handlers.clear()
logging.getLogger("deepsparse").setLevel(logging.ERROR)

PRECISIONS = ("fp32", "int8")

# Compiling takes seconds a width: 20 s for a pruned BERT-base. A server of up to 256 tokens a call meets four.
WIDTH_STEP = 64

# A row has places for so many texts: few texts are shorter, and what does not fit is asked in another call.
TOKENS_PER_TEXT = 4

# With less than this the engine hands parts of the graph to the one it is built on, and zeros save no time there.
SUPPORTED_OPERATORS = 0.9

_BYTES = {TensorProto.INT8, TensorProto.UINT8}
_INTEGER = {"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QuantizeLinear"}


class DeepSparseSession:
    def __init__(self, artifact: Path, graph: ModelProto, placement: Placement, signature: Signature) -> None:
        self._artifact = artifact
        self._placement = placement
        self._signature = signature
        self._inputs = [port.name for port in _inputs(graph)]
        self._tables = _tables(graph)
        self._compiling = threading.Lock()
        self._engines: dict[int, Engine] = {}
        self.info = _info(self._engine(WIDTH_STEP), graph, placement)
        if float(self.info.details["supported_operators"]) < SUPPORTED_OPERATORS:
            log.warning(
                "DeepSparse runs only %s of the operators of %r itself: zeros save little time",
                self.info.details["supported_operators"],
                artifact.name,
            )

    def run(self, batch: Batch) -> Logits:
        assert isinstance(batch, PackedBatch), "this is a bug: no other layout is opened"
        _check(batch, self._tables)
        engine = self._engine(row_width(batch.input_ids.shape[1], WIDTH_STEP))
        logits = np.empty((len(batch.cls_index), engine.output_shapes[self._signature.output][1]), np.float32)
        for texts, arrays in calls_of(batch):
            feeds = self._signature.feeds(arrays)
            try:
                found = engine.run([feeds[name] for name in self._inputs], val_inp=False)
            except RuntimeError as exc:
                raise BackendError(f"DeepSparse failed on a batch: {_one_line(exc)}") from exc
            logits[texts] = found[self._signature.output][: len(texts)]
        return logits

    def close(self) -> None:
        self._engines.clear()

    def _engine(self, width: int) -> Engine:
        """The engine for rows of this width; streams that meet a new one at once wait for the first to compile it."""
        if engine := self._engines.get(width):
            return engine
        with self._compiling:
            if width not in self._engines:
                self._engines[width] = _compiled(self._artifact, width, self._placement)
            return self._engines[width]


def calls_of(batch: PackedBatch) -> Iterator[tuple[Int64Array, dict[str, Int64Array]]]:
    """A batch as calls of one row each: which texts of the batch a call answers, and its arrays, filled up."""
    rows, narrow = batch.input_ids.shape
    width = row_width(narrow, WIDTH_STEP)
    arrays = {name: _widened(array, width) for name, array in batch.inputs().items() if name != "cls_index"}
    row_of, place_of = np.divmod(batch.cls_index, narrow)
    for row in range(rows):
        texts = np.flatnonzero(row_of == row)
        for start in range(0, len(texts), _places(width)):
            some = texts[start : start + _places(width)]
            index = np.zeros(_places(width), np.int64)
            index[: len(some)] = place_of[some]
            yield some, {name: array[row : row + 1] for name, array in arrays.items()} | {"cls_index": index}


def _places(width: int) -> int:
    return width // TOKENS_PER_TEXT


def _widened(array: Int64Array, width: int) -> Int64Array:
    if array.shape[1] == width:
        return array
    wide = np.zeros((len(array), width), np.int64)
    wide[:, : array.shape[1]] = array
    return wide


def _check(batch: PackedBatch, tables: dict[str, int]) -> None:
    """Refuse what does not fit together, and indices that a table has no row for: they end the process."""
    arrays = batch.inputs()
    check_alike("DeepSparse", arrays)
    for name, rows in (tables | {"cls_index": batch.input_ids.size}).items():
        if arrays[name].min() < 0 or arrays[name].max() >= rows:
            raise BackendError(
                f"DeepSparse failed on a batch: {name} are {arrays[name].min()} to {arrays[name].max()}, and may be 0 "
                f"to {rows - 1}."
            )


def _info(engine: Engine, graph: ModelProto, placement: Placement) -> SessionInfo:
    return SessionInfo(
        "deepsparse",
        deepsparse.__version__,
        "int8" if _INTEGER & {node.op_type for node in graph.graph.node} else "fp32",
        placement,
        width_step=WIDTH_STEP,
        instruction_set=f"{engine.cpu_avx_type}{'_vnni' if engine.cpu_vnni else ''}",
        details={"supported_operators": f"{engine.fraction_of_supported_ops:.3f}"},
    )


def _compiled(artifact: Path, width: int, placement: Placement) -> Engine:
    # The engine writes shapes into the file that it is given, and the operator's is not to be touched.
    with tempfile.TemporaryDirectory(prefix="paretoserve-") as folder:
        copy = Path(folder) / artifact.name
        onnx.save(_shaped(_read(artifact), width), copy)
        try:
            engine = Engine(
                str(copy),
                batch_size=None,  # the first dimension is set already, and is not the same for all inputs
                num_cores=placement.streams * placement.threads,
                num_streams=placement.streams,
                # Under the others, engines of one process run one after the other.
                scheduler=Scheduler.multi_stream,
            )
        except RuntimeError as exc:
            raise _cannot_load(artifact, exc) from exc
    _unpin()
    return engine


def _unpin() -> None:
    """Let our threads run on all of our cores. The engine pins each to one, in every process to the same ones."""
    cores = os.sched_getaffinity(0)
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def _read(artifact: Path) -> ModelProto:
    """The graph, found to be valid: not with every other one does the engine fail by an exception."""
    try:
        graph = onnx.load(artifact)
        onnx.checker.check_model(graph)
    except Exception as exc:
        raise _cannot_load(artifact, exc) from exc
    return graph


def _check_tables(graph: ModelProto, file: str) -> None:
    """Refuse a look-up in a table of bytes, on which the engine ends the process."""
    rounded = {weight.name for weight in graph.graph.initializer if weight.data_type in _BYTES}
    for node in graph.graph.node:
        if node.op_type == "Gather" and node.input[0] in rounded:
            raise BackendError(
                f"DeepSparse cannot load {file!r}: {node.input[0]!r} is a table of bytes; leave embeddings in floats."
            )


def _shaped(graph: ModelProto, width: int) -> ModelProto:
    """The graph with the shapes of its inputs set to those of a row of this width."""
    for port in _inputs(graph):
        shape = (_places(width),) if port.name == "cls_index" else (1, width)
        for dimension, size in zip(port.type.tensor_type.shape.dim, shape, strict=True):
            dimension.dim_value = size
    return graph


def _inputs(graph: ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs in the graph's order, which is that of a call's arrays; old graphs list their weights there, too."""
    weights = {weight.name for weight in graph.graph.initializer}
    return [port for port in graph.graph.input if port.name not in weights]


def _tables(graph: ModelProto) -> dict[str, int]:
    """For each input that is looked up in a table of the graph, the rows of that table."""
    sizes = {weight.name: weight.dims[0] for weight in graph.graph.initializer if weight.dims}
    gathers = [node.input for node in graph.graph.node if node.op_type == "Gather"]
    names = {port.name for port in _inputs(graph)}
    return {index: sizes[table] for table, index in gathers if table in sizes and index in names}


def _port(value: onnx.ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    shape = tuple(one.dim_value if one.HasField("dim_value") else None for one in tensor.shape.dim)
    return Port(value.name, str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)), shape)


def _cannot_load(artifact: Path, error: Exception) -> BackendError:
    return BackendError(f"DeepSparse cannot load {artifact.name!r}: {_one_line(error)}")


def _one_line(error: Exception) -> str:
    """What it says without its line breaks and without the paths in it, which are none of a client's business."""
    return " ".join(word.rpartition("/")[2] for word in str(error).split())


def open_session(artifact: ArtifactFile, placement: Placement) -> DeepSparseSession:
    if artifact.layout != "packed":
        raise BackendError(
            f"{artifact.path.name!r} is said to be {artifact.layout}, and DeepSparse runs packed graphs only, one row "
            "a call."
        )
    if artifact.precision not in PRECISIONS:
        raise BackendError(f"DeepSparse cannot run {artifact.precision!r}; the precisions are {', '.join(PRECISIONS)}.")
    graph = _read(artifact.path)
    _check_tables(graph, artifact.path.name)
    outputs = [_port(value) for value in graph.graph.output]
    signature = read_signature(artifact.path.name, artifact.layout, [_port(value) for value in _inputs(graph)], outputs)
    return DeepSparseSession(artifact.path, graph, placement, signature)
