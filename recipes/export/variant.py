"""A checkpoint in one precision, in the form of each engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from networks.checkpoint import load_checkpoint
from networks.encoder.graph import onnx_graph
from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import with_positions
from recipes.data.tokenizer import write_tokenizer
from recipes.data.tokens import Packed, Text, load_tokenizer
from recipes.export.base import BuiltArtifact, Source
from recipes.export.calibration import calibration_inputs
from recipes.export.catalogue import DEFAULT_BACKENDS, EXPORTERS
from recipes.export.precisions import Precision
from recipes.work.progress import Progress, part_of


@dataclass(frozen=True, slots=True)
class ExportInput:
    """`checkpoint` and `out_dir` exist; `calibration` are texts to measure ranges on, which `int8` needs.

    `backends` are those to write artifacts for, as many of them as write the precision. `in_fp32` names for a backend
    the linear layers that `int8` leaves as they are.
    """

    checkpoint: Path
    calibration: Sequence[Text]
    out_dir: Path
    report: Progress
    max_tokens: int = 128
    backends: tuple[str, ...] = DEFAULT_BACKENDS
    in_fp32: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def token_limit(self, shape: EncoderShape) -> int:
        """Where texts are cut: what was asked for, or less if the checkpoint has fewer positions."""
        return min(self.max_tokens, shape.max_tokens)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: an artifact per backend, and what is known of all of them.

    `settings` are those of the precision. `parameters` counts the weights, `nonzero` those that are not zero.
    """

    artifacts: dict[str, BuiltArtifact]
    settings: dict[str, Any]
    labels: tuple[str, ...]
    max_tokens: int
    parameters: int
    nonzero: int


def export(given: ExportInput, precision: Precision) -> Exported:
    """Write the checkpoint in this precision, in the form of each engine, and its tokenizer.

    Raises:
        UnsupportedCheckpoint: the checkpoint cannot be read.
        DataError: the precision needs calibration texts, and there are none.
    """
    given.report("Reading the checkpoint", 0.0)
    encoder = load_checkpoint(given.checkpoint)
    tokenizer = load_tokenizer(write_tokenizer(given.checkpoint, given.out_dir), given.token_limit(encoder.shape))
    calibration = calibration_inputs(tokenizer, given.calibration) if precision == "int8" else ()
    artifacts = _artifacts(given, encoder, calibration, precision)
    given.report("All artifacts written", 1.0)
    weights = list(encoder.parameters())
    return Exported(
        artifacts=artifacts,
        settings={"calibration_texts": len(calibration), "activation_ranges": "static"} if calibration else {},
        labels=encoder.shape.labels,
        max_tokens=given.token_limit(encoder.shape),
        parameters=sum(weight.numel() for weight in weights),
        nonzero=sum(int(weight.count_nonzero()) for weight in weights),
    )


def _artifacts(
    given: ExportInput, encoder: PackedEncoder, calibration: tuple[Packed, ...], precision: Precision
) -> dict[str, BuiltArtifact]:
    exporters = {
        backend: exporter
        for backend, exporter in EXPORTERS.items()
        if backend in given.backends and precision in exporter.precisions
    }
    # Positions that no text reaches would be 3 % of the INT8 file of a model of 23 million weights.
    graph = cache(lambda: onnx_graph(with_positions(encoder, given.token_limit(encoder.shape))))
    artifacts = {}
    for i, (backend, exporter) in enumerate(exporters.items()):
        report = part_of(given.report, i, len(exporters))
        report(f"Writing for {backend}", 0.0)
        left = given.in_fp32.get(backend, frozenset())
        source = Source(encoder, graph, calibration, given.out_dir, report, left)
        artifacts[backend] = exporter.write(source, precision)
    return artifacts
