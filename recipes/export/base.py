"""What an exporter is given and what it gives back: a checkpoint becomes the file that one engine loads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onnx import ModelProto

from model_store.manifest import Layout
from networks.encoder.modules import PackedEncoder
from recipes.data.tokens import Packed
from recipes.export.precisions import Precision
from recipes.work.progress import Progress


@dataclass(frozen=True, slots=True)
class Source:
    """What artifacts are written from, and where to; writers change nothing of it.

    `encoder` is in fp32 and eval mode. `graph` gives it as an ONNX graph, made once. `calibration` are real texts,
    where the precision needs them; `in_fp32` are the linear layers, by their names in the graph, that `int8` leaves.
    """

    encoder: PackedEncoder
    graph: Callable[[], ModelProto]
    calibration: tuple[Packed, ...]
    out_dir: Path
    report: Progress
    in_fp32: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BuiltArtifact:
    """A file that one backend loads, relative to the folder it was written to, with the files that belong to it.

    `golden_from` says whose logits the manifest keeps as golden: those of the fp32 reference where the artifact
    must equal it, the artifact's own where rounding changes answers. `golden_tolerance` is absolute, per logit.
    """

    file: str
    precision: str
    golden_from: Literal["reference", "artifact"]
    golden_tolerance: float
    companions: tuple[str, ...] = ()
    layout: Layout = "packed"


@dataclass(frozen=True, slots=True)
class Exporter:
    """How the artifact of an engine is written: one file per engine has one. `precisions` are those that it writes."""

    precisions: tuple[Precision, ...]
    write: Callable[[Source, Precision], BuiltArtifact]


# Of a logit. In fp32, engines sum in different orders, which moves the last digits only. A number of bf16 has eight
# significant bits, and every layer rounds anew; in other company sums round elsewhere. In int8, where two processors
# (or two batches) differ in the last digit of a float, a value now and then rounds to the next byte: one text in
# fifty on a 6-layer model of SST-2, moving its logits by up to 0.1.
_TOLERANCE: dict[Precision, float] = {"fp32": 1e-3, "bf16": 0.25, "int8": 0.25}


def artifact(precision: Precision, file: str, *companions: str) -> BuiltArtifact:
    """A written file, held to what its precision promises."""
    golden_from: Literal["reference", "artifact"] = "reference" if precision == "fp32" else "artifact"
    return BuiltArtifact(file, precision, golden_from, _TOLERANCE[precision], companions)
