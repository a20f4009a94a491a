"""For PyTorch: a checkpoint of the encoder, safetensors in the precision that they are computed in."""

import copy

import torch

from networks.checkpoint import save_checkpoint
from networks.encoder.modules import PackedEncoder
from recipes.export.base import BuiltArtifact, Exporter, Source, artifact
from recipes.export.precisions import Precision

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def in_precision(encoder: PackedEncoder, precision: Precision) -> PackedEncoder:
    """A copy of the encoder with its weights rounded to the precision."""
    return copy.deepcopy(encoder).to(DTYPES[precision])


def _write(source: Source, precision: Precision) -> BuiltArtifact:
    save_checkpoint(in_precision(source.encoder, precision), source.out_dir)
    return artifact(precision, "model.safetensors", "config.json")


EXPORTER = Exporter(tuple(DTYPES), _write)
