"""What is found wrong with a server that is: each of these is one that does one thing badly."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from benchmarks.hostile.cases import Case
from benchmarks.hostile.exchange import Link, fault_of

ASKED = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(*answers: bytes) -> Serve:
    """Answers the first request with these bytes, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(answers)
        writer.close()

    return serve


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def found_wrong(serve: Serve, case: Case) -> str:
    async def ask() -> str:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()
            _, link = await asyncio.get_running_loop().create_connection(Link, *address)
            outcome = await link.send(case, 0.3)
            link.abort()
            return fault_of(case, outcome)

    return asyncio.run(ask())


def test_an_answer_is_all_right() -> None:
    assert not found_wrong(answering(FINE), Case("one", (ASKED,)))


def test_two_answers_to_two_requests_are_all_right() -> None:
    assert not found_wrong(answering(FINE, FINE), Case("two", (ASKED, ASKED), answers=2))


@pytest.mark.parametrize(
    ("serve", "what"),
    [
        (silent, "neither answered nor closed"),
        (answering(b""), "closed after 0 of 1 answers (in order)"),
        (answering(FINE[:-1]), "closed after 0 of 1 answers (in order)"),
        (answering(b"SSH-2.0\r\n\r\n"), "answered with something that is no HTTP"),
        (answering(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"), "answered 500"),
        (answering(FINE.replace(b"2\r\n\r\n{}", b'7\r\n\r\nFile "/')), "told a client of its own files"),
    ],
)
def test_a_server_that_does_wrong_is_found_out(serve: Serve, what: str) -> None:
    assert found_wrong(serve, Case("one", (ASKED,))) == what


def test_a_second_answer_that_is_missing_is_noticed() -> None:
    wrong = found_wrong(answering(FINE), Case("two", (ASKED, ASKED), answers=2))
    assert wrong == "closed after 1 of 2 answers (in order)"


def test_what_is_no_request_may_be_closed_on() -> None:
    assert not found_wrong(answering(b""), Case("none", (ASKED,), answers=0, may_close=True))


def test_a_deadline_of_its_own_may_pass() -> None:
    late = answering(b"HTTP/1.1 504 Late\r\ncontent-length: 0\r\n\r\n")
    assert found_wrong(late, Case("one", (ASKED,))) == "answered 504"
    assert not found_wrong(late, Case("one", (ASKED,), has_deadline=True))


def test_a_client_that_leaves_expects_nothing() -> None:
    assert not found_wrong(silent, Case("leaves", (ASKED,), leaves=True))
