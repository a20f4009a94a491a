"""BERT-base in all its sizes with random weights: how long it takes does not depend on what they say.

Of a sparse product the time depends on where the zeros are, not on the other weights: they are pruned by magnitude,
each matrix of the layers by itself, without any training. The answers mean nothing.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.sentences import load_sentences
from model_store.manifest import TOKENIZER_FILE
from networks.encoder.shape import EncoderShape

if TYPE_CHECKING:  # torch is needed only where graphs are made
    from networks.encoder.modules import PackedEncoder
    from recipes.export.precisions import Precision

LAYERS, WIDTH, HEADS, UNITS, VOCABULARY = 12, 768, 12, 3072, 30522
MAX_TOKENS = 128

# Of texts that ranges are measured on: on random weights they say nothing, and few are quick.
CALIBRATION_TEXTS = 16


@dataclass(frozen=True, slots=True)
class Form:
    """So many layers, each with so many heads and units, and this share of their weights zero."""

    layers: int = LAYERS
    heads: int = HEADS
    units: int = UNITS
    sparsity: float = 0.0

    @property
    def shape(self) -> EncoderShape:
        return EncoderShape(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            head_size=WIDTH // HEADS,
            heads=(self.heads,) * self.layers,
            units=(self.units,) * self.layers,
            labels=("negative", "positive"),
            max_tokens=MAX_TOKENS,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """A graph to write: for a backend, in a precision."""

    backend: str
    precision: "Precision" = "fp32"


def write_graphs(form: Form, orders: tuple[Order, ...], folder: Path) -> dict[Order, Path]:
    """The graphs of a form, each in a folder of its own below `folder`; the same every time."""
    from networks.checkpoint import save_checkpoint
    from recipes.export.variant import ExportInput, export

    checkpoint = folder / "checkpoint"
    save_checkpoint(random_encoder(form), checkpoint)
    shutil.copyfile(benchmark_model().checkpoint / TOKENIZER_FILE, checkpoint / TOKENIZER_FILE)
    texts = [(text, None) for text in load_sentences().texts[:CALIBRATION_TEXTS]]
    found = {}
    for order in orders:
        out = folder / f"{order.backend}-{order.precision}"
        out.mkdir()
        given = ExportInput(checkpoint, texts, out, lambda what, done: None, MAX_TOKENS, (order.backend,))
        found[order] = out / export(given, order.precision).artifacts[order.backend].file
    shutil.rmtree(checkpoint)
    return found


def random_encoder(form: Form) -> "PackedEncoder":
    from networks.encoder.drawn import drawn_encoder

    model = drawn_encoder(form.shape, seed=0).eval()
    for name, weight in model.state_dict().items():
        if form.sparsity and ".layer." in name and weight.ndim == 2:
            least = weight.abs().flatten().kthvalue(round(form.sparsity * weight.numel())).values
            weight[weight.abs() <= least] = 0.0
    return model
