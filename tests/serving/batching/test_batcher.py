import random
from dataclasses import dataclass

import pytest

from serving.batching.batcher import Picked, next_batch

NOW = 100.0


@dataclass(frozen=True, eq=False)
class WaitingText:
    name: str
    tokens: int
    wait_until: float = NOW + 1
    cancelled: bool = False


def names(texts: list[WaitingText]) -> str:
    return "".join(text.name for text in texts)


def queue_of(*tokens: int) -> list[WaitingText]:
    """Texts called a, b, c … of so many tokens."""
    return [WaitingText(chr(ord("a") + i), n) for i, n in enumerate(tokens)]


@pytest.mark.parametrize(
    ("tokens", "batch", "left"),
    [
        ((), "", ""),
        ((5,), "a", ""),
        ((5, 5), "ab", ""),
        ((5, 6), "a", "b"),
        ((5, 6, 5), "ac", "b"),
        ((6, 5, 4, 3), "ac", "bd"),
        ((10, 1), "a", "b"),
        ((11, 1), "a", "b"),
        ((99,), "a", ""),
        ((1, 99, 9), "ac", "b"),
        ((3, 3, 3, 1, 1), "abcd", "e"),
    ],
)
def test_a_row_is_filled_oldest_first_with_what_fits(tokens: tuple[int, ...], batch: str, left: str) -> None:
    picked = next_batch(queue_of(*tokens), 10, NOW)
    assert (names(picked.batch), names(picked.left)) == (batch, left)


def test_expired_and_cancelled_texts_go_nowhere_and_take_no_room() -> None:
    queue = [
        WaitingText("a", 10, NOW - 0.001),
        WaitingText("b", 10, cancelled=True),
        WaitingText("c", 10, NOW - 1, cancelled=True),
        WaitingText("d", 10, NOW),
        WaitingText("e", 1),
    ]
    picked = next_batch(queue, 10, NOW)
    assert [names(one) for one in (picked.batch, picked.expired, picked.cancelled, picked.left)] == [
        "d",
        "a",
        "bc",
        "e",
    ]


def test_a_text_longer_than_a_row_goes_alone_when_it_is_the_oldest() -> None:
    queue = queue_of(99, 1, 1)
    first = next_batch(queue, 10, NOW)
    second = next_batch(first.left, 10, NOW)
    assert (names(first.batch), names(second.batch)) == ("a", "bc")


def random_queue(chance: random.Random) -> list[WaitingText]:
    return [
        WaitingText(str(i), chance.randint(1, 40), NOW + chance.choice((-1, 0, 1)), chance.random() < 0.2)
        for i in range(chance.randint(0, 30))
    ]


def check(queue: list[WaitingText], picked: Picked[WaitingText], budget: int) -> None:
    place = {text: i for i, text in enumerate(queue)}
    parts = (picked.batch, picked.expired, picked.cancelled, picked.left)
    assert sorted(place[text] for part in parts for text in part) == list(range(len(queue))), "lost or doubled"
    for part in parts:
        assert [place[text] for text in part] == sorted(place[text] for text in part), "out of order"
    assert all(text.cancelled for text in picked.cancelled)
    assert all(text.wait_until < NOW and not text.cancelled for text in picked.expired)
    assert not any(text.cancelled or text.wait_until < NOW for text in picked.batch + picked.left)
    taken = sum(text.tokens for text in picked.batch)
    assert taken <= budget or len(picked.batch) == 1
    assert all(text.tokens > budget - taken for text in picked.left), "room was wasted"
    if picked.left:
        assert picked.batch, "texts wait while the engine is free"
        assert place[picked.batch[0]] < place[picked.left[0]], "the oldest was passed over"


def test_nothing_is_lost_or_doubled_and_the_budget_holds_for_any_queue() -> None:
    chance = random.Random(7)
    for _ in range(2000):
        queue, budget = random_queue(chance), chance.randint(1, 80)
        check(queue, next_batch(queue, budget, NOW), budget)


def test_every_text_is_taken_in_the_end_while_new_ones_keep_coming() -> None:
    chance = random.Random(8)
    queue = [WaitingText("long", 99)]
    for _ in range(3):
        queue += [WaitingText("new", chance.randint(1, 10)) for _ in range(5)]
        picked = next_batch(queue, 10, NOW)
        queue = picked.left
    assert "long" not in [text.name for text in queue]
