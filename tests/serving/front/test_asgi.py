import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from model_store.errors import BadInput, TooLarge
from serving.front.asgi import ClientLeft, Receive, read_body, unless_client_leaves, whole_number
from serving.front.byte_budget import ByteBudget
from serving.front.refusals import Refused


def receiving(*messages: dict[str, Any]) -> Receive:
    """The server's side of a client that sends these messages and then nothing more."""
    left = list(messages)

    async def receive() -> MutableMapping[str, Any]:
        return left.pop(0) if left else await asyncio.Future()

    return receive


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def read(
    *messages: dict[str, Any],
    headers: dict[bytes, bytes] | None = None,
    max_bytes: int = 10,
    budget: ByteBudget | None = None,
) -> bytes:
    return asyncio.run(read_body(headers or {}, receiving(*messages), max_bytes, budget or ByteBudget()))


def test_a_body_in_parts_is_put_together() -> None:
    assert read(part(b"one "), part(b""), part(b"two", more=False)) == b"one two"
    assert read({"type": "http.request"}) == b""


def test_a_body_up_to_the_limit_is_read_and_a_longer_one_is_not() -> None:
    assert read(part(b"x" * 10, more=False), headers={b"content-length": b"10"}) == b"x" * 10
    with pytest.raises(TooLarge, match="over the limit of 10 bytes"):
        read(part(b"x" * 6), part(b"x" * 5))


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        read(headers={b"content-length": b"11"})


def test_a_body_is_held_of_the_budget_until_its_reader_releases_it() -> None:
    budget = ByteBudget(10)
    assert read(part(b"x" * 6, more=False), headers={b"content-length": b"6"}, budget=budget) == b"x" * 6
    assert budget.held_bytes == 6
    assert read(part(b"xx"), part(b"xx", more=False), budget=budget) == b"xxxx"
    assert budget.held_bytes == 10


def test_a_body_that_does_not_fit_into_the_budget_is_refused_before_it_is_read() -> None:
    budget = ByteBudget(5)
    with pytest.raises(Refused, match="bytes in flight"):
        read(headers={b"content-length": b"6"}, budget=budget)
    assert budget.held_bytes == 0


def test_a_body_in_parts_is_refused_as_soon_as_it_has_outgrown_the_budget() -> None:
    budget = ByteBudget(5)
    with pytest.raises(Refused, match="bytes in flight"):
        read(part(b"xxx"), part(b"xxx"), budget=budget)
    assert budget.held_bytes == 0


def test_a_client_that_leaves_frees_what_it_had_announced() -> None:
    budget = ByteBudget(10)
    with pytest.raises(ClientLeft):
        read(part(b"one"), GONE, headers={b"content-length": b"9"}, budget=budget)
    assert budget.held_bytes == 0


@pytest.mark.parametrize("length", [b"ten", b"-1", b"1.5", b"", "٣".encode(), b"9" * 5000])
def test_a_length_that_is_no_number_is_bad_input(length: bytes) -> None:
    with pytest.raises(BadInput, match="Content-Length must be a whole number"):
        read(part(b"", more=False), headers={b"content-length": length})


def test_a_client_that_leaves_before_its_body_is_complete_is_noticed() -> None:
    with pytest.raises(ClientLeft):
        read(part(b"one"), GONE)


def test_a_number_in_a_header_may_be_absent() -> None:
    assert whole_number({b"x-n": b"0042"}, b"x-n") == 42
    assert whole_number({}, b"x-n") is None


def test_work_is_returned_while_the_client_stays() -> None:
    async def work() -> str:
        return "done"

    assert asyncio.run(unless_client_leaves(work(), receiving())) == "done"


def test_what_work_raises_is_raised() -> None:
    async def work() -> None:
        raise BadInput("No.")

    with pytest.raises(BadInput, match="No"):
        asyncio.run(unless_client_leaves(work(), receiving()))


def test_work_is_cancelled_when_the_client_leaves() -> None:
    cancelled = []

    async def work() -> None:
        try:
            await asyncio.Future()
        finally:
            cancelled.append(True)

    with pytest.raises(ClientLeft):
        asyncio.run(unless_client_leaves(work(), receiving(GONE)))
    assert cancelled
