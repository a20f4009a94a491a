"""The tables of BERT-base's shapes in `docs/variants.md`, from what `python -m benchmarks shapes` left behind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.places import WRITE_UPS
from benchmarks.harness.results import Result, markdown_table, spread_text
from benchmarks.marked import NOTHING, filled, read_result, where
from loadtest.report.wording import MISSING

NAME = "shapes"

COMPOUND = {12: 4.05, 6: 7.71, 3: 9.20}
"""Times dense ONNX Runtime, by layers: compound sparsification with DeepSparse, as its write-up says."""

INT8, JPQD = 3.17, 4.19
"""Times dense OpenVINO: INT8, and pruned and INT8, as the write-up on joint pruning and quantization says."""

_WORKLOADS = {"fixed": "Texts of 128 tokens each", "sentences": "Sentences of SST-2's lengths, packed"}

Row = Mapping[str, Any]


def render(page: str, folder: Path = WRITE_UPS) -> str:
    """The page with the tables of the result in `folder`."""
    result = read_result(folder / f"{NAME}.json")
    return filled(page, NAME, _section(result) if result else NOTHING)


def _section(result: Result) -> str:
    rows, versions = result.summary["rows"], _engines(result)
    calls = " or ".join(map(str, result.settings["call_rows"]))
    asked = f"A call has {calls} texts of 128 tokens, whichever is faster, or a packed row; a stream for each core"
    parts = [f"{where(result)}. {result.settings['model']}. {asked}. {versions}.\n"]
    for workload, title in _WORKLOADS.items():
        parts.append(f"{title}, times dense BERT-base in ONNX Runtime:\n\n{_by_layers(rows, workload)}")
    return "\n".join([*parts, f"OpenVINO, times dense BERT-base in OpenVINO (fp32):\n\n{_openvino(rows)}"])


def _engines(result: Result) -> str:
    running = dict.fromkeys(
        f"{one['engine']} ({one['instruction_set']})" for one in result.settings["engines"].values()
    )
    return ", ".join(running)


def _by_layers(rows: Sequence[Row], workload: str) -> str:
    # The baseline is in every group.
    compared = [row for row in rows if row["group"] == f"{row['layers']} layers"]
    sparsities = sorted({row["sparsity"] for row in compared})
    head = ("", *(f"{sparsity:.0%} zeros" if sparsity else "dense" for sparsity in sparsities), "the write-up")
    lines = []
    for layers in dict.fromkeys(row["layers"] for row in sorted(compared, key=lambda row: -row["layers"])):
        for backend, claimed in (("deepsparse", f"{COMPOUND[layers]:.2f}"), ("onnxruntime", MISSING)):
            cells = [_times(compared, workload, layers, backend, sparsity) for sparsity in sparsities]
            lines.append((f"{layers} layers, {backend}", *cells, claimed))
    return markdown_table(head, lines)


def _times(rows: Sequence[Row], workload: str, layers: int, backend: str, sparsity: float) -> str:
    found = (
        row[workload]["times_baseline"]
        for row in rows
        if (row["layers"], row["backend"], row["sparsity"]) == (layers, backend, sparsity)
    )
    return next((spread_text(one) for one in found), MISSING)


def _openvino(rows: Sequence[Row]) -> str:
    head = ("", *_WORKLOADS.values(), "the write-up")
    return markdown_table(head, [_openvino_row(row) for row in rows if row["precision"] == "int8"])


def _openvino_row(row: Row) -> tuple[str, ...]:
    is_pruned = row["units"] < 3072
    name = f"INT8, {row['heads']} heads and {row['units']} units a layer" if is_pruned else "INT8"
    cells = [spread_text(row[workload]["times_baseline"]) for workload in _WORKLOADS]
    return (name, *cells, f"{JPQD if is_pruned else INT8:.2f}")
