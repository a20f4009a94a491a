"""Texts to measure an engine with, of any length: what they say does not matter to it."""

import itertools
import logging
from collections.abc import Sequence

import numpy as np

from handlers.handler import Handler
from handlers.tokens.packing import Tokens
from model_store.manifest import Manifest
from serving import tuning
from serving.batching.arrange import lay_out
from serving.wire.cost import Cost

log = logging.getLogger("paretoserve.worker")

Rows = list[list[Tokens]]


def words_of(handler: Handler) -> Tokens:
    """A few words, tokenized. Not through `prepare`: the user's own input_fn may read another format."""
    tokens: Tokens = handler.tokenizer("a few words to measure with")
    return tokens


def resized(text: Tokens, tokens: int) -> Tokens:
    """The text cut or repeated to that many tokens."""
    return Tokens(np.resize(text.input_ids, tokens), np.resize(text.token_type_ids, tokens))


def typical_lengths(manifest: Manifest) -> tuple[int, ...]:
    """Tokens of texts as this variant gets them, in no order: its own data's, or else those of sentences."""
    if not manifest.token_lengths:
        log.info("the manifest states no lengths of texts; measuring with those of sentences of SST-2")
        return tuning.TYPICAL_LENGTHS
    # The manifest has them in rising order, and a small call would get the shortest only.
    return tuple(np.random.default_rng(0).permutation(manifest.token_lengths).tolist())


def mixed_call(handler: Handler, cost: Cost, tokens: int, lengths: Sequence[int], first: int = 0) -> Rows:
    """Texts of these lengths, in turn from the one at `first` on, that fill a call, laid out as a server does it."""
    words, first = words_of(handler), first % len(lengths)
    texts: list[Tokens] = []
    for length in itertools.cycle([*lengths[first:], *lengths[:first]]):
        room = tokens - sum(map(len, texts))
        if texts and room < min(lengths):
            break
        texts.append(resized(words, min(length, max(1, room), handler.manifest.max_tokens)))
    layout = lay_out([len(text) for text in texts], handler, cost)
    return [[texts[i] for i in row] for row in layout]
