"""What a step is given, on a tiny checkpoint."""

from pathlib import Path

from model_store.rows import Row, Split
from networks.checkpoint import save_checkpoint
from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape
from recipes.data.tokenizer import write_tokenizer
from recipes.data.validation import split_off_validation
from recipes.steps.base import StepInput
from recipes.work.progress import silent
from tests.tiny import TEXTS, tiny_checkpoint

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS * 16))
TRAIN = Split("films", "train", ROWS)


def never(shape: EncoderShape) -> float:
    raise AssertionError("nobody asked for latencies")


def step_input(folder: Path, shape: EncoderShape | None = None, encoder: PackedEncoder | None = None) -> StepInput:
    """The checkpoint in `folder` is a random one of that shape, or `encoder`; it is its own teacher."""
    checkpoint = tiny_checkpoint(folder / "checkpoint", shape=encoder.shape if encoder else shape)
    if encoder:
        save_checkpoint(encoder, checkpoint)
    for name in ("work", "shared"):
        (folder / name).mkdir()
    train, validation = split_off_validation(TRAIN, seed=0)
    return StepInput(
        checkpoint=checkpoint,
        tokenizer=write_tokenizer(checkpoint, folder),
        max_tokens=64,
        train=train,
        validation=validation,
        teacher=checkpoint,
        seed=0,
        work=folder / "work",
        shared=folder / "shared",
        latency_s=never,
        report=silent,
    )
