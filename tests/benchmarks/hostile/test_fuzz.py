"""A short run of the fuzzer against a real server; `make fuzz` is a long one."""

from pathlib import Path
from random import Random

import pytest

from benchmarks.hostile.cases import any_case
from benchmarks.hostile.fuzz import Fuzz, run_fuzz
from benchmarks.hostile.watch import Server
from tests.handlers.variants import build_dense
from tests.serving.front_server import front, spec

REQUESTS = 1500
NAMES = {"name": "dense"}


@pytest.mark.timeout(180)
def test_whatever_is_sent_is_answered_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with front([spec(build_dense(tmp_path))], header_timeout_s=5.0, body_timeout_s=8.0) as server:
        found = run_fuzz(Server(str(server.http.base_url).rstrip("/"), server.process.pid), Fuzz(REQUESTS, clients=8))
    assert (found.faults, found.restarts, found.left) == ([], 0, [])
    assert found.requests >= REQUESTS
    assert found.statuses["200"] > REQUESTS / 10, "many of them are in order"


def test_the_same_seed_makes_the_same_cases_and_another_one_others() -> None:
    cases = [Fuzz(1, seed=1).case(number, NAMES) for number in range(200)]
    assert cases == [Fuzz(1, seed=1).case(number, NAMES) for number in range(200)]
    assert cases != [Fuzz(1, seed=2).case(number, NAMES) for number in range(200)]


def test_cases_are_of_every_kind() -> None:
    dice = Random(0)
    assert len({any_case(dice, NAMES).kind for _ in range(1000)}) == 10
