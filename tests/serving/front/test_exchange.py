import pytest

from serving.front.exchange import identity_of

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01".encode()


def test_a_request_is_known_by_its_own_id_before_that_of_its_trace() -> None:
    identity = identity_of({b"x-request-id": b"order 7", b"traceparent": TRACEPARENT})
    assert (identity.request_id, identity.trace_id) == (b"order 7", TRACE_ID)
    assert identity.echoed() == [(b"x-request-id", b"order 7"), (b"traceparent", TRACEPARENT)]


def test_without_an_id_of_its_own_it_is_known_by_that_of_its_trace() -> None:
    assert identity_of({b"traceparent": TRACEPARENT}).request_id == TRACE_ID.encode()


def test_without_either_it_gets_a_fresh_id_and_no_trace() -> None:
    first, second = identity_of({}), identity_of({})
    assert len(first.request_id) == len(second.request_id) == 32
    assert first.request_id != second.request_id
    assert first.trace_id == ""
    assert first.echoed() == [(b"x-request-id", first.request_id)]


@pytest.mark.parametrize("sent", [b"", b"caf\xe9", b"\xff\xfe", b"a\tb", b"a\x00b", b"a\x7f"])
def test_an_id_that_no_log_could_show_is_replaced(sent: bytes) -> None:
    assert len(identity_of({b"x-request-id": sent}).request_id) == 32


def test_a_long_id_is_cut() -> None:
    assert identity_of({b"x-request-id": b"x" * 129}).request_id == b"x" * 128


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        TRACEPARENT.upper(),
        TRACEPARENT[:-1],
        TRACEPARENT + b"0",
        TRACEPARENT + b"\n",
        TRACEPARENT.replace(b"-", b"_"),
        b"ff" + TRACEPARENT[2:],
        TRACEPARENT.replace(TRACE_ID.encode(), b"0" * 32),
        TRACEPARENT.replace(b"00f067aa0ba902b7", b"0" * 16),
        b"x" * 100_000,
    ],
)
def test_what_is_no_place_in_a_trace_is_ignored(sent: bytes) -> None:
    identity = identity_of({b"traceparent": sent})
    assert identity.traceparent == b""
    assert len(identity.request_id) == 32
