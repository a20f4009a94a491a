"""For TorchScript: the network as a program, traced, its weights made constants."""

import warnings
from io import BytesIO
from pathlib import Path

import torch

from networks.encoder.modules import PackedEncoder
from recipes.export.base import BuiltArtifact, Exporter, Source, artifact
from recipes.export.precisions import Precision
from recipes.export.torch import DTYPES, in_precision


def _write(source: Source, precision: Precision) -> BuiltArtifact:
    save_torchscript(in_precision(source.encoder, precision), source.out_dir / "model.pt")
    return artifact(precision, "model.pt")


def save_torchscript(encoder: PackedEncoder, path: Path) -> None:
    """Trace `encoder` on a call of two texts in one row; the program takes calls of any shape.

    Inputs and output are those of the encoder, packed.
    """
    tokens = torch.arange(6)[None]
    segments = torch.tensor([[1, 1, 1, 2, 2, 2]])
    example = (tokens % 2, tokens % 3, tokens * 0, segments, torch.tensor([0, 3]))
    with torch.inference_mode(), warnings.catch_warnings():
        # PyTorch has a successor to it; who serves TorchScript knows.
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(encoder.eval(), example)  # type: ignore[no-untyped-call]
        # Where it writes to a file itself, a full disk ends the process.
        program = BytesIO()
        torch.jit.save(torch.jit.freeze(traced), program)
    path.write_bytes(program.getbuffer())


EXPORTER = Exporter(tuple(DTYPES), _write)
