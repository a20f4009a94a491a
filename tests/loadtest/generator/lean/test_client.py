import asyncio
from typing import Any

import pytest

from loadtest.generator.lean.client import run_client, run_here
from loadtest.generator.lean.plan import ClientPlan, ClientResult
from loadtest.plan.arrivals import Arrivals
from tests.loadtest.tiny_server import Behaviour, TinyServer, served

BODIES = (b'{"inputs": "a"}', b'{"inputs": "b"}', b'{"inputs": "c"}')


def plan_for(server: TinyServer, **settings: Any) -> ClientPlan:
    return ClientPlan(host="127.0.0.1", port=server.port, path="/x", bodies=BODIES, **settings)


def run(server: TinyServer, **settings: Any) -> ClientResult:
    return asyncio.run(run_here(plan_for(server, **settings)))


def outcomes(result: ClientResult) -> list[object]:
    return [record.outcome for record in result.records]


# The closed loop


def test_every_request_is_counted_and_timed_and_sent_as_it_stands() -> None:
    with served(TinyServer(service_s=0.02)) as server:
        result = run(server, requests=12, clients=3)
    assert outcomes(result) == [200] * 12
    assert sorted(server.bodies) == sorted(BODIES * 4)
    assert all(0.02 <= record.seconds < 5.0 for record in result.records)
    assert [record.body for record in sorted(result.records, key=lambda r: r.due_s)] == [0, 1, 2] * 4


def test_each_client_keeps_its_connection_and_has_one_request_under_way() -> None:
    with served(TinyServer(service_s=0.01)) as server:
        result = run(server, seconds=0.3, clients=4)
    assert server.connections == 4
    ends = sorted((record.due_s, record.due_s + record.seconds) for record in result.records)
    assert all(sum(begin < at < end for begin, end in ends) <= 4 for at, _ in ends)


def test_a_closed_loop_ends_with_its_time_and_waits_for_what_is_under_way() -> None:
    with served(TinyServer(service_s=0.05)) as server:
        result = run(server, seconds=0.22, clients=2)
    assert result.seconds == 0.22
    assert len(result.records) == len(server.bodies)
    assert max(record.due_s for record in result.records) < 0.22
    assert len(result.in_time()) < len(result.records), "those under way at the end do not count as throughput"
    assert result.figures()["requests_per_s"] == pytest.approx(len(result.in_time()) / 0.22)


def test_a_server_that_closes_connections_is_asked_on_new_ones() -> None:
    with served(TinyServer(script=lambda number: "ok, then close")) as server:
        result = run(server, requests=6, clients=2)
    assert outcomes(result) == [200] * 6
    assert server.connections >= 6


def test_answers_are_kept_by_body_where_the_plan_says_so() -> None:
    with served(TinyServer()) as server:
        assert run(server, requests=3, clients=1, keep_answers=True).answers == dict.fromkeys(range(3), b"{}")
        assert run(server, requests=3, clients=1).answers == {}


def test_what_is_not_answered_200_is_recorded_and_the_loop_goes_on() -> None:
    script: dict[int, Behaviour] = {1: "busy", 2: "silent", 3: "hang up"}
    with served(TinyServer(script=lambda number: script.get(number, "ok"))) as server:
        result = run(server, requests=6, clients=1, timeout_s=0.2)
    assert outcomes(result) == [200, 429, "timeout", "connection error", 200, 200]
    assert [record.retry_after for record in result.records] == [False, True, False, False, False, False]
    assert 0.2 <= result.records[2].seconds < 2.0
    assert result.figures()["outcomes"] == {"200": 3, "429": 1, "timeout": 1, "connection error": 1}
    assert result.figures()["not_200"] == 3


def test_nobody_there_is_recorded_and_not_asked_thousands_of_times() -> None:
    with served(TinyServer()) as server:
        pass
    result = run(server, seconds=0.3, clients=1)
    assert 1 <= len(result.records) <= 8
    assert set(outcomes(result)) == {"connection error"}


# The open loop


def test_the_open_loop_keeps_its_rate_whatever_the_server_does() -> None:
    with served(TinyServer(service_s=0.3)) as server:
        result = run(server, arrivals=Arrivals("constant", 100.0), seconds=0.5)
    assert outcomes(result) == [200] * 50
    assert sorted(record.due_s for record in result.records) == pytest.approx([i / 100 for i in range(50)])
    assert all(record.seconds < 3.0 for record in result.records), "no request waits for another"


def test_an_open_loop_notes_the_request_that_gets_no_answer() -> None:
    with served(TinyServer(script=lambda number: "silent" if number == 3 else "ok")) as server:
        result = run(server, arrivals=Arrivals("constant", 50.0), seconds=0.4, timeout_s=0.3)
    assert len(result.records) == 20
    (lost,) = (record for record in result.records if record.outcome != 200)
    assert lost.outcome == "timeout"
    assert 0.3 <= lost.seconds < 2.0


def test_an_open_loop_says_what_its_own_limit_of_connections_kept_back() -> None:
    with served(TinyServer(service_s=1.0)) as server:
        result = run(server, arrivals=Arrivals("constant", 100.0), seconds=0.1, max_connections=4)
    assert outcomes(result).count("not sent") == 6
    assert outcomes(result).count(200) == 4


def test_an_open_loop_without_a_server_ends_with_every_request_accounted_for() -> None:
    with served(TinyServer()) as server:
        pass
    assert outcomes(run(server, arrivals=Arrivals("constant", 100.0), seconds=0.1)) == ["connection error"] * 10


# Plans, and a process of its own


def test_a_plan_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="never end"):
        plan_for(TinyServer())
    with pytest.raises(ValueError, match="never end"):
        plan_for(TinyServer(), arrivals=Arrivals("constant", 1.0), requests=5)


def test_a_client_in_its_own_process_brings_everything_back() -> None:
    with served(TinyServer()) as server:
        result = run_client(plan_for(server, requests=2000, clients=4, keep_answers=True))
    assert outcomes(result) == [200] * 2000
    assert len(server.bodies) == 2000
    assert result.answers[2] == b"{}"
    assert result.cpu_s > 0
