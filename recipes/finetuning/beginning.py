"""The network that a fine-tuning begins with: a pretrained encoder, or a small one without any knowledge."""

from dataclasses import dataclass
from pathlib import Path

from model_store.errors import UnsupportedCheckpoint
from model_store.manifest import TOKENIZER_FILE
from networks.encoder.drawn import drawn_encoder
from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape
from networks.pretrained import load_pretrained
from recipes.data.tokenizer import write_tokenizer
from recipes.data.tokens import load_tokenizer
from recipes.data.wordpieces import learn_word_pieces
from recipes.finetuning.settings import FinetuneInput
from recipes.work.folder import writing

# The small encoder: 1.6 million weights with all of its word pieces.
LAYERS, WIDTH, HEAD_SIZE, PIECES, STD = 3, 128, 32, 8000, 0.05

# Word pieces settle long before.
_TEXTS_FOR_PIECES = 100_000


@dataclass(frozen=True, slots=True)
class Beginning:
    """`tokenizer` is a `tokenizer.json`; `drawn` are the parts of the head that the checkpoint did not have."""

    encoder: PackedEncoder
    tokenizer: Path
    drawn: tuple[str, ...]


def begin(given: FinetuneInput, work: Path) -> Beginning:
    """The network to train, with its tokenizer in `work`.

    Raises:
        UnsupportedCheckpoint: the checkpoint is none of a known encoder, or its tokenizer does not fit.
    """
    work.mkdir(parents=True, exist_ok=True)
    if given.checkpoint is None:
        return _small(given, work / TOKENIZER_FILE)
    pretrained = load_pretrained(given.checkpoint, given.labels, given.settings.seed)
    file = write_tokenizer(given.checkpoint, work)
    pieces, known = load_tokenizer(file, 1).get_vocab_size(), pretrained.encoder.shape.vocab_size
    if pieces > known:
        raise UnsupportedCheckpoint(
            f"The tokenizer of {given.checkpoint.name!r} has {pieces} word pieces, but its encoder knows {known}; give "
            "the tokenizer that the encoder was trained with."
        )
    return Beginning(pretrained.encoder, file, pretrained.drawn)


def _small(given: FinetuneInput, file: Path) -> Beginning:
    """Kept once it is learnt, the tokenizer is the same for a training that goes on."""
    if not file.is_file():
        rows = (*given.train.rows, *given.unlabelled)[:_TEXTS_FOR_PIECES]
        texts = [text for row in rows for text in (row.text, row.text_pair) if text is not None]
        with writing(file) as partial:
            learn_word_pieces(texts, PIECES).save(str(partial))
    shape = EncoderShape(
        vocab_size=load_tokenizer(file, 1).get_vocab_size(),
        hidden_size=WIDTH,
        head_size=HEAD_SIZE,
        heads=(WIDTH // HEAD_SIZE,) * LAYERS,
        units=(4 * WIDTH,) * LAYERS,
        labels=given.labels,
        max_tokens=given.settings.max_tokens,
    )
    return Beginning(drawn_encoder(shape, given.settings.seed, STD), file, ())
