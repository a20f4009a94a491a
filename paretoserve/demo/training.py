"""Train a small BERT from scratch on the demo's task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from model_store.manifest import TOKENIZER_FILE
from networks.checkpoint import save_checkpoint
from networks.encoder.drawn import drawn_encoder
from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape
from paretoserve.demo.task import LABELS, Example
from recipes.training.loop import TrainingSettings
from recipes.training.loop import train as train_model
from recipes.work.progress import Progress

WIDTH, HEAD_SIZE, MAX_TOKENS = 128, 32, 64
BATCH, LEARNING_RATE = 64, 1.2e-3
PIECES = 400


@dataclass(frozen=True, slots=True)
class Batch:
    """The packed inputs of some examples, a row each, and what is asked of them.

    Beside the first token of each text, which the label belongs to, the classifier is asked at every holder of an
    opinion what that one thinks: it learns to bind opinions to their holders many times faster.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    texts: int

    def loss(self, logits: Tensor) -> Tensor:
        return functional.cross_entropy(logits[: self.texts], self.labels[: self.texts]) + functional.cross_entropy(
            logits[self.texts :], self.labels[self.texts :]
        )


def train(
    tokenizer: Tokenizer, train_examples: Sequence[Example], layers: int, work: Path, report: Progress
) -> PackedEncoder:
    """Train a classifier of `layers` layers, one pass over the examples; the same every time on the same machine.

    What is in `work` survives a kill: started again, the training goes on from there.
    """
    # A second thread gains little on matrices this small, and where a core is taken the two wait for each other.
    torch.set_num_threads(1)
    model = _new_model(tokenizer.get_vocab_size(), layers)
    settings = TrainingSettings(
        steps=len(train_examples) // BATCH, learning_rate=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01
    )

    def batch_of(step: int) -> Batch:
        return _batch(tokenizer, train_examples[step * BATCH : (step + 1) * BATCH])

    train_model(model, batch_of, lambda network, batch: batch.loss(network(**batch.inputs)), settings, work, report)
    return model


def save(model: PackedEncoder, tokenizer: Tokenizer, checkpoint: Path) -> None:
    save_checkpoint(model, checkpoint)
    (checkpoint / TOKENIZER_FILE).write_text(tokenizer.to_str(pretty=True))


def _new_model(vocab_size: int, layers: int) -> PackedEncoder:
    shape = EncoderShape(
        vocab_size=vocab_size,
        hidden_size=WIDTH,
        head_size=HEAD_SIZE,
        heads=(WIDTH // HEAD_SIZE,) * layers,
        units=(4 * WIDTH,) * layers,
        labels=LABELS,
        max_tokens=MAX_TOKENS,
        dropout=0.0,
    )
    return drawn_encoder(shape, seed=0, std=0.05)


def _batches(tokenizer: Tokenizer, all_examples: Sequence[Example]) -> Iterator[Batch]:
    for start in range(0, len(all_examples) - BATCH + 1, BATCH):
        yield _batch(tokenizer, all_examples[start : start + BATCH])


def _batch(tokenizer: Tokenizer, some: Sequence[Example]) -> Batch:
    encodings = tokenizer.encode_batch([example.text for example in some])
    width = max(len(encoding.ids) for encoding in encodings)
    input_ids = torch.zeros(len(some), width, dtype=torch.long)
    segment_ids = torch.zeros_like(input_ids)
    asked, labels = [row * width for row in range(len(some))], [example.label for example in some]
    for row, (example, encoding) in enumerate(zip(some, encodings, strict=True)):
        input_ids[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
        segment_ids[row, : len(encoding.ids)] = 1
        for holder, opinion in example.opinions:
            asked.append(row * width + encoding.tokens.index(holder))
            labels.append(opinion)
    inputs = {
        "input_ids": input_ids,
        "position_ids": torch.arange(width).expand_as(input_ids),
        "token_type_ids": torch.zeros_like(input_ids),
        "segment_ids": segment_ids,
        "cls_index": torch.tensor(asked),
    }
    return Batch(inputs, torch.tensor(labels), len(some))


def evaluate(model: PackedEncoder, tokenizer: Tokenizer, some: Sequence[Example]) -> float:
    """The share of examples that the model labels right."""
    correct = 0
    with torch.inference_mode():
        for batch in _batches(tokenizer, some):
            answers = model(**batch.inputs)[: batch.texts].argmax(1)
            correct += int((answers == batch.labels[: batch.texts]).sum())
    return correct / (len(some) // BATCH * BATCH)
