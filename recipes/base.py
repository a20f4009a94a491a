"""What a recipe is given and what it gives back.

A recipe only writes files. The composition that calls it opens each artifact with the engine that will serve it,
measures it, and writes the manifest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model_store.manifest import MANIFEST_FILE, Layout, Technique, read_manifest
from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape

Text = tuple[str, str | None]
"""A text and, for pair tasks, its second text."""

Report = Callable[[str, float], None]
"""Called with what is being done and the fraction of the recipe behind it, 0 to 1."""

DEFAULT_BACKENDS = ("torch", "onnxruntime", "openvino")
"""For which artifacts are written unless others are asked for."""


@dataclass(frozen=True, slots=True)
class RecipeInput:
    """`checkpoint` and `out_dir` exist; `calibration` are texts of the train split, the same for every recipe.

    `backends` are those to write artifacts for, as many of them as the recipe knows.
    """

    checkpoint: Path
    calibration: tuple[Text, ...]
    out_dir: Path
    report: Report
    max_tokens: int = 128
    backends: tuple[str, ...] = DEFAULT_BACKENDS

    def token_limit(self, config: EncoderShape) -> int:
        """Where texts are cut: what was asked for, or less if the checkpoint has fewer positions."""
        return min(self.max_tokens, config.max_tokens)


@dataclass(frozen=True, slots=True)
class BuiltArtifact:
    """A file that one backend loads, relative to the recipe's `out_dir`, with the files that belong to it.

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
class Built:
    """What a recipe wrote: an artifact per backend, and what the manifest says of how it was made.

    `parameters` counts the weights, `nonzero` those that are not zero. `parent` is the variant it was made of, if
    the checkpoint was one.
    """

    technique: Technique
    artifacts: dict[str, BuiltArtifact]
    labels: tuple[str, ...]
    max_tokens: int
    parameters: int
    nonzero: int
    parent: str | None


Recipe = Callable[[RecipeInput], Built]


def built(given: RecipeInput, model: PackedEncoder, technique: Technique, artifacts: dict[str, BuiltArtifact]) -> Built:
    """A `Built` with what the model and the checkpoint's folder say themselves."""
    weights = list(model.parameters())
    return Built(
        technique=technique,
        artifacts=artifacts,
        labels=model.shape.labels,
        max_tokens=given.token_limit(model.shape),
        parameters=sum(weight.numel() for weight in weights),
        nonzero=sum(int(weight.count_nonzero()) for weight in weights),
        parent=_variant_name(given.checkpoint),
    )


def _variant_name(checkpoint: Path) -> str | None:
    return read_manifest(checkpoint).variant if (checkpoint / MANIFEST_FILE).is_file() else None
