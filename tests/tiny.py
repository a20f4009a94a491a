"""A BERT classifier small enough to compress in seconds, with a tokenizer and texts of its own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PACKED_INPUTS, PackedEncoder
from networks.encoder.shape import EncoderShape
from recipes.data.tokens import Text, load_tokenizer, packed

VOCABULARY = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", "!", "?", "'", "##s", "##ly", "##ed", "##ing", "##er"),
    *("a", "an", "the", "this", "that", "it", "film", "movie", "plot", "story", "cast", "actor", "is", "was", "be"),
    *("very", "quite", "not", "never", "good", "bad", "great", "dull", "charming", "bleak", "funny", "sad", "slow"),
    *("fast", "smart", "silly", "and", "or", "but", "with", "without", "of", "in", "on", "for", "to", "s", "un"),
)

TEXTS: tuple[Text, ...] = (
    ("a charming and funny film .", None),
    ("the plot is slow , bleak and dull", None),
    ("it is not a good movie !", None),
    ("great", None),
    ("this story was very smart , but the cast is silly .", None),
    ("a sad story with a great actor", None),
)
PAIRS: tuple[Text, ...] = (
    ("the film is good .", "the movie is great ."),
    ("it was dull", "it was not funny !"),
    ("an actor is in the story .", "the plot is slow"),
)


def tiny_shape(
    labels: tuple[str, ...] = ("negative", "positive"),
    heads: tuple[int, ...] = (2, 2),
    units: tuple[int, ...] = (64, 64),
) -> EncoderShape:
    return EncoderShape(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        head_size=16,
        heads=heads,
        units=units,
        labels=labels,
        max_tokens=64,
    )


def tiny_checkpoint(
    folder: Path,
    labels: tuple[str, ...] = ("negative", "positive"),
    *,
    shape: EncoderShape | None = None,
    seed: int = 0,
) -> Path:
    """A checkpoint in `folder` with random weights: the same seed gives the same weights."""
    shape = shape or tiny_shape(labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        save_checkpoint(PackedEncoder(shape), folder)
    tokenizer = BertWordPieceTokenizer(vocab={piece: i for i, piece in enumerate(VOCABULARY)}, lowercase=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def random_packed(segments: Sequence[Sequence[int]], tokens: int, seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Rows of `tokens` tokens; `segments` gives the lengths of each row's segments, what remains is padding."""
    random = np.random.default_rng(seed)
    shape = (len(segments), tokens)
    rows = {name: np.zeros(shape, np.int64) for name in PACKED_INPUTS[:4]}
    first_tokens = []
    for row, lengths in enumerate(segments):
        start = 0
        for segment, length in enumerate(lengths, start=1):
            part = np.s_[row, start : start + length]
            rows["input_ids"][part] = random.integers(len(VOCABULARY), size=length)
            rows["position_ids"][part] = np.arange(length)
            rows["token_type_ids"][part] = random.integers(2, size=length)
            rows["segment_ids"][part] = segment
            first_tokens.append(row * tokens + start)
            start += length
    return rows | {"cls_index": np.array(first_tokens, np.int64)}


def packed_texts(checkpoint: Path, texts: Sequence[Text] = TEXTS) -> dict[str, NDArray[np.int64]]:
    """All of `texts` in one row, tokenized."""
    tokenizer = load_tokenizer(checkpoint / "tokenizer.json", 64)
    alone = [packed(tokenizer, text) for text in texts]
    row = {name: np.concatenate([one[name] for one in alone], axis=1) for name in PACKED_INPUTS[:4]}
    lengths = [one["input_ids"].size for one in alone]
    row["segment_ids"] = np.repeat(np.arange(len(lengths)) + 1, lengths)[None]
    return row | {"cls_index": np.cumsum([0, *lengths[:-1]])}


def torch_logits(checkpoint: Path, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
    """What the fp32 network answers, (requests, labels): the reference of every artifact."""
    model = load_checkpoint(checkpoint)
    with torch.inference_mode():
        logits: NDArray[np.float32] = model(*(torch.from_numpy(inputs[name]) for name in PACKED_INPUTS)).numpy()
    return logits
