"""A classifier that somebody exported to ONNX: `model.onnx` with padded inputs, its tokenizer and its `config.json`."""

import mmap
from pathlib import Path

from model_store.manifest import TOKENIZER_FILE, Artifact, sha256_of

MODEL = "model.onnx"
EXPORT = (MODEL, "config.json", TOKENIZER_FILE)

# OpenVINO reads ONNX as it is.
BACKENDS = ("onnxruntime", "openvino")

# Names of operators that stand in the file of a quantized graph.
_QUANTIZED = (b"QuantizeLinear", b"DequantizeLinear", b"MatMulInteger")


def is_export(folder: Path) -> bool:
    return all((folder / file).is_file() for file in EXPORT)


def export_artifacts(folder: Path) -> dict[str, Artifact]:
    """The artifact of the export for each backend that runs it. Weights that lie beside the graph are part of it."""
    weights = sorted(file.name for file in folder.glob(f"{MODEL}*") if file.name != MODEL)
    files = (MODEL, *weights)
    artifact = Artifact(
        file=MODEL,
        layout="padded",
        precision=_precision(folder / MODEL),
        sha256={file: sha256_of(folder / file) for file in (*files, TOKENIZER_FILE)},
        bytes=sum((folder / file).stat().st_size for file in files),
    )
    return dict.fromkeys(BACKENDS, artifact)


def _precision(file: Path) -> str:
    """`int8` where the graph is quantized: an engine executes an ONNX graph in the precisions that it states."""
    if not file.stat().st_size:
        return "fp32"  # for the engine to refuse
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return "int8" if any(content.find(name) >= 0 for name in _QUANTIZED) else "fp32"
