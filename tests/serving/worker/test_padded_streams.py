"""Streams over a padded artifact: a row for each text, similar lengths together, what it computes besides counted."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handlers.handler import Prepared
from handlers.tasks.base import Floats
from handlers.tokens.packing import Tokens
from handlers.tokens.padding import Grid
from handlers.user_code import UserCode
from serving.tuning import MOST_OVERTAKEN
from serving.wire.cost import Cost
from serving.wire.messages import Reply
from tests.serving.worker.test_streams import Bench, EchoHandler, OwnModelHandler, body, job

# A call costs as much as 1000 tokens, so that all company pays that the budget allows.
DEAR_CALLS = Cost(1000.0, 1.0, 0.0, 0.0)


@dataclass
class PaddedHandler(EchoHandler):
    """An engine that takes a row for each text, in widths of eights."""

    @property
    def grid(self) -> Grid | None:
        return Grid(width_step=8)

    def infer(self, rows: Sequence[Sequence[Tokens]]) -> list[Floats]:
        assert all(len(row) == 1 for row in rows), "texts share a row"
        return EchoHandler.infer(self, [[text for row in rows for text in row]])


class PaddedOwnModel(OwnModelHandler, PaddedHandler):
    """The user's own predict_fn around a padded classifier."""


def bench(batch_tokens: int = 100, streams: int = 1) -> Bench:
    return Bench(PaddedHandler(), streams, batch_tokens, DEAR_CALLS)


def test_waiting_texts_of_similar_length_share_a_call_a_row_each() -> None:
    busy = bench()
    busy.hold()
    for number, tokens in enumerate((20, 60, 21, 59, 22), start=1):
        busy.streams.put(job(number, tokens=tokens))
    replies, batches = busy.until_batches(4)
    assert busy.handler.batched == [[0], [1, 3, 5], [2], [4]]
    assert {number: body(reply) for number, reply in replies.items()} == {n: [n] for n in range(6)}
    assert [(one.requests, one.tokens, one.padding_tokens) for one in batches] == [
        (1, 10, 6),
        (3, 63, 9),
        (1, 60, 4),
        (1, 59, 5),
    ]


def test_texts_of_one_request_come_back_in_their_order_however_they_were_grouped() -> None:
    busy = bench()
    mixed, lengths = job(1), {11: 40, 12: 8, 13: 41, 14: 9}
    texts = tuple(Tokens(np.full(n, first), np.zeros(n, np.int64)) for first, n in lengths.items())
    mixed.prepared = Prepared("", None, texts)
    busy.hold()
    busy.streams.put(mixed)
    replies, _ = busy.until_batches(3)
    assert busy.handler.batched == [[0], [11, 13], [12, 14]]
    assert body(replies[1]) == [11, 12, 13, 14]


def test_the_budget_counts_padding() -> None:
    busy = bench(batch_tokens=64)
    busy.hold()
    for number in (1, 2, 3):
        busy.streams.put(job(number, tokens=17))
    busy.until_batches(3)
    assert busy.handler.batched == [[0], [1, 2], [3]]


def test_a_text_is_overtaken_so_often_and_no_more() -> None:
    # Company pays, but only if it is of the same length.
    busy = Bench(PaddedHandler(), batch_tokens=1000, cost=Cost(1.0, 1.0, 0.0, 0.0))
    busy.hold()
    older, odd = range(1, MOST_OVERTAKEN + 3), 100
    twin = {number: 50 + number for number in older}
    for number in older:
        busy.streams.put(job(number, tokens=8 * number))
    busy.streams.put(job(odd, tokens=400))
    for number in older:  # each of them has a twin that came after the odd one
        busy.streams.put(job(twin[number], tokens=8 * number))
    busy.until_batches(1 + len(older) + 1 + 2)
    with_twins, alone = older[:MOST_OVERTAKEN], older[MOST_OVERTAKEN:]
    assert busy.handler.batched == [
        [0],
        *([number, twin[number]] for number in with_twins),
        *([number] for number in alone),
        [odd],
        *([twin[number]] for number in alone),
    ]


def test_without_gain_from_company_each_text_has_a_call_of_its_own() -> None:
    busy = Bench(PaddedHandler(), cost=Cost(0.0, 1.0, 0.0, 1.0))
    busy.hold()
    for number in (1, 2, 3):
        busy.streams.put(job(number))
    busy.until_batches(4)
    assert busy.handler.batched == [[0], [1], [2], [3]]


def test_several_streams_lose_nothing_of_a_queue_of_all_lengths() -> None:
    chance = random.Random(5)
    busy = bench(streams=3)
    busy.proceed(1000)
    for number in range(300):
        busy.streams.put(job(number, number, number + 1, tokens=chance.randint(3, 90)))
    replies: dict[int, Reply] = {}
    while len(replies) < 300:
        found, _ = busy.until_batches(1)
        assert not replies.keys() & found.keys()
        replies |= found
    assert all(body(replies[n]) == [n, n + 1] for n in range(300))


def test_their_own_predict_fn_around_a_padded_classifier_is_asked_one_request_at_a_time() -> None:
    busy = Bench(PaddedOwnModel(user=UserCode(predict_fn=lambda data, model: data)))
    for number in range(3):
        busy.streams.put(job(number))
    replies, batches = busy.until_batches(3)
    assert replies.keys() == {0, 1, 2}
    assert [one.padding_tokens for one in batches] == [0, 0, 0]
