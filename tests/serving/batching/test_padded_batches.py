"""Batches for padded artifacts: company of a similar length, as much of it as pays, and nobody left behind."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from handlers.tokens.padding import Grid
from serving.batching.batcher import Picked, next_padded_batch
from serving.batching.padded_cost import PaddedCost
from serving.tuning import MOST_OVERTAKEN
from serving.wire.cost import Cost

NOW = 100.0

# A call costs as much as 1000 tokens, so that all company pays that the budget allows.
DEAR_CALLS = PaddedCost(Grid(), Cost(1000.0, 1.0, 0.0, 0.0))


@dataclass(eq=False)
class WaitingText:
    name: str
    tokens: int
    wait_until: float = NOW + 1
    cancelled: bool = False
    overtaken: int = 0


def names(texts: list[WaitingText]) -> str:
    return "".join(text.name for text in texts)


def queue_of(*tokens: int) -> list[WaitingText]:
    """Texts called a, b, c … of so many tokens, the oldest first."""
    return [WaitingText(chr(ord("a") + i), n) for i, n in enumerate(tokens)]


def picked_from(*tokens: int, budget: int = 60, cost: PaddedCost = DEAR_CALLS) -> tuple[str, str]:
    picked = next_padded_batch(queue_of(*tokens), budget, NOW, cost)
    return names(picked.batch), names(picked.left)


@pytest.mark.parametrize(
    ("tokens", "batch", "left"),
    [
        ((), "", ""),
        ((20,), "a", ""),
        ((20, 20, 20), "abc", ""),
        ((20, 20, 20, 20), "abc", "d"),
        ((20, 5, 19, 21, 5), "ac", "bde"),
        ((10, 30, 11, 9, 10), "aecd", "b"),
        ((10, 12, 8, 10, 10, 10), "adefb", "c"),
        ((30, 31), "a", "b"),
        ((60, 1), "a", "b"),
        ((99, 99), "a", "b"),
    ],
)
def test_the_oldest_text_has_the_nearest_lengths_for_company_within_the_budget_with_padding(
    tokens: tuple[int, ...], batch: str, left: str
) -> None:
    assert picked_from(*tokens) == (batch, left)


def test_padding_to_the_shapes_of_the_engine_counts_against_the_budget() -> None:
    in_steps = PaddedCost(Grid(width_step=16), DEAR_CALLS.cost)
    doubling = PaddedCost(Grid(doubling=True), DEAR_CALLS.cost)
    assert picked_from(10, 10, 10, 10, cost=in_steps) == ("abc", "d")
    assert picked_from(10, 10, 10, 10, 10, cost=doubling) == ("abcd", "e")


def test_a_graph_of_a_fixed_size_is_filled_even_where_one_call_is_more_than_the_budget() -> None:
    fixed = PaddedCost(Grid(rows=4, width=64), Cost(1.0))
    assert picked_from(10, 60, 20, 5, 10, cost=fixed) == ("aedc", "b")


def test_company_that_costs_more_here_than_it_brings_is_left_for_another_call() -> None:
    cheap_calls = PaddedCost(Grid(), Cost(5.0, 1.0, 0.0, 0.0))
    assert picked_from(10, 10, 11, 40, cost=cheap_calls, budget=1000) == ("abc", "d")
    assert picked_from(40, 10, 41, cost=cheap_calls, budget=1000) == ("ac", "b")


def test_where_batching_does_not_pay_each_text_goes_alone() -> None:
    no_gain = PaddedCost(Grid(), Cost(0.0, 1.0, 0.0, 0.001))
    assert picked_from(20, 20, 20, cost=no_gain) == ("a", "bc")


def test_rows_that_would_only_fill_a_power_of_two_up_are_not_paid_for() -> None:
    cost = PaddedCost(Grid(doubling=True), Cost(4.0, 1.0, 0.0, 0.0))
    assert picked_from(20, 20, 20, 20, 20, cost=cost, budget=1000) == ("abcd", "e")


def test_expired_and_cancelled_texts_go_nowhere_and_are_no_company() -> None:
    queue = [
        WaitingText("a", 20, NOW - 0.001),
        WaitingText("b", 20, cancelled=True),
        WaitingText("c", 20, NOW - 1, cancelled=True),
        WaitingText("d", 20, NOW),
        WaitingText("e", 20),
    ]
    picked = next_padded_batch(queue, 60, NOW, DEAR_CALLS)
    parts = (picked.batch, picked.expired, picked.cancelled, picked.left)
    assert [names(part) for part in parts] == ["de", "a", "bc", ""]
    none_left = next_padded_batch(queue[:3], 60, NOW, DEAR_CALLS)
    assert [names(part) for part in (none_left.batch, none_left.expired, none_left.cancelled)] == ["", "a", "bc"]


def test_those_that_a_younger_one_is_taken_before_are_told() -> None:
    picked = next_padded_batch(queue_of(20, 5, 20, 5, 20, 5), 60, NOW, DEAR_CALLS)
    assert (names(picked.batch), names(picked.left), names(picked.overtaken)) == ("ace", "bdf", "bd")


def test_a_text_that_was_overtaken_too_often_comes_before_nearer_lengths() -> None:
    queue = queue_of(10, 40, 30, 10, 10)
    for text in queue[:3]:
        text.overtaken = MOST_OVERTAKEN
    assert names(next_padded_batch(queue, 80, NOW, DEAR_CALLS).batch) == "ab"
    assert names(next_padded_batch(queue, 60, NOW, DEAR_CALLS).batch) == "a", "a younger one was taken before it"
    assert names(next_padded_batch(queue, 200, NOW, DEAR_CALLS).batch) == "abcde"


def test_company_is_sought_near_the_front_of_a_long_queue() -> None:
    queue = [WaitingText("old", 10), *(WaitingText("other", 30) for _ in range(100)), WaitingText("twin", 10)]
    picked = next_padded_batch(queue, 60, NOW, DEAR_CALLS)
    assert [text.name for text in picked.batch] == ["old", "other"]


def random_cost(chance: random.Random) -> PaddedCost:
    grid = Grid(
        rows=chance.choice((None, None, 4)),
        width=chance.choice((None, None, 48)),
        width_step=chance.choice((1, 8)),
        doubling=chance.random() < 0.5,
        widest=48,
    )
    terms = (chance.choice((0.0, 10.0, 200.0)), 1.0, chance.choice((0.0, 0.01)), chance.choice((0.0, 0.005)))
    return PaddedCost(grid, Cost(*terms))


def random_queue(chance: random.Random) -> list[WaitingText]:
    return [
        WaitingText(
            str(i), chance.randint(1, 40), NOW + chance.choice((-1, 0, 1)), chance.random() < 0.2, chance.randint(0, 9)
        )
        for i in range(chance.randint(0, 40))
    ]


def check(queue: list[WaitingText], picked: Picked[WaitingText], budget: int, cost: PaddedCost) -> None:
    place = {text: i for i, text in enumerate(queue)}
    parts = (picked.batch, picked.expired, picked.cancelled, picked.left)
    assert sorted(place[text] for part in parts for text in part) == list(range(len(queue))), "lost or doubled"
    for part in parts[1:]:
        assert [place[text] for text in part] == sorted(place[text] for text in part), "out of order"
    assert all(text.cancelled for text in picked.cancelled)
    assert all(text.wait_until < NOW and not text.cancelled for text in picked.expired)
    alive = [text for text in queue if not text.cancelled and text.wait_until >= NOW]
    if not alive:
        assert not picked.batch
        return
    assert picked.batch[0] is alive[0], "the oldest was passed over"
    padded = cost.tokens(len(picked.batch), max(text.tokens for text in picked.batch))
    assert padded <= max(budget, cost.tokens(1, alive[0].tokens))
    youngest = max(place[text] for text in picked.batch)
    assert picked.overtaken == [text for text in picked.left if place[text] < youngest]
    assert not any(text.overtaken >= MOST_OVERTAKEN for text in picked.overtaken), "overtaken once too often"


def test_nothing_is_lost_or_doubled_and_the_budget_holds_for_any_queue_and_cost() -> None:
    chance = random.Random(7)
    for _ in range(3000):
        queue, budget, cost = random_queue(chance), chance.randint(1, 300), random_cost(chance)
        check(queue, next_padded_batch(queue, budget, NOW, cost), budget, cost)


def busy_server(chance: random.Random, lengths: Callable[[], int], cost: PaddedCost, calls: int) -> None:
    """Serve a queue that new texts keep joining, and hold every text to what its docstring promises it."""
    queue: list[WaitingText] = []
    due_by: dict[WaitingText, int] = {}
    for call in range(calls):
        for _ in range(chance.randint(0, 8)):
            text = WaitingText("", lengths())
            due_by[text] = call + len(queue)
            queue.append(text)
        picked = next_padded_batch(queue, 200, NOW, cost)
        for text in picked.overtaken:
            text.overtaken += 1
        assert all(call <= due_by[text] for text in picked.batch), "it waited for more calls than others were before it"
        assert all(text.overtaken <= MOST_OVERTAKEN for text in queue)
        queue = picked.left


@pytest.mark.parametrize("seed", range(20))
def test_every_text_is_taken_within_as_many_calls_as_others_were_before_it_and_is_rarely_overtaken(seed: int) -> None:
    chance = random.Random(seed)
    busy_server(chance, lambda: chance.randint(3, 60), random_cost(chance), calls=200)


def test_similar_lengths_save_most_of_the_padding_that_arrival_order_costs() -> None:
    chance = random.Random(3)
    queue = [WaitingText("", max(3, round(chance.gauss(25, 12)))) for _ in range(400)]
    texts = list(queue)
    padding = 0
    while queue:
        picked = next_padded_batch(queue, 256, NOW, DEAR_CALLS)
        lengths = [text.tokens for text in picked.batch]
        padding += DEAR_CALLS.tokens(len(lengths), max(lengths)) - sum(lengths)
        for text in picked.overtaken:
            text.overtaken += 1
        queue = picked.left
    in_order = [[text.tokens for text in texts[i : i + 6]] for i in range(0, len(texts), 6)]
    assert padding < 0.5 * sum(max(batch) * len(batch) - sum(batch) for batch in in_order)
