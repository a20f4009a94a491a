"""Many requests to one server: all are answered, and nothing is left of them."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from paretoserve.hosts.process import running_server
from tests.conftest import BuiltOnce
from tests.handlers.variants import build_dense

CLIENTS, REQUESTS_EACH = 8, 2000
# Of 16 000 requests that leave a kilobyte behind each.
GROWTH_BYTES = 16 * 2**20
FEW = 3


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds."""

    bytes: int
    files: int
    threads: int


def held(url: str) -> dict[int, Held]:
    """By process: the front and its workers."""
    variants = httpx.get(f"{url}/variants").json()["variants"]
    workers = [psutil.Process(worker["pid"]) for one in variants for worker in one["workers"]]
    processes = {process.pid: process for process in (*workers, workers[0].parent()) if process is not None}
    return {
        pid: Held(process.memory_info().rss, process.num_fds(), process.num_threads())
        for pid, process in processes.items()
    }


def ask_many(url: str, names: list[str]) -> Counter[tuple[bool, int]]:
    """How often a request that is in order (or not) was answered with which status."""

    def client(seed: int) -> Counter[tuple[bool, int]]:
        dice, found = random.Random(seed), Counter[tuple[bool, int]]()
        with httpx.Client(base_url=url, timeout=60) as http:
            for _ in range(REQUESTS_EACH):
                good = dice.random() < 0.9
                texts = ["it is not a good movie !"] * dice.randint(1, 8)
                headers = {"X-Amzn-SageMaker-Target-Variant": dice.choice(names)}
                answer = http.post("/invocations", json={"inputs": texts if good else 5}, headers=headers)
                found[good, answer.status_code] += 1
        return found

    with ThreadPoolExecutor(CLIENTS) as clients:
        return sum(clients.map(client, range(CLIENTS)), Counter[tuple[bool, int]]())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_of_many_requests_all_are_answered_and_none_leaves_anything_behind(
    built_once: BuiltOnce, tmp_path: Path
) -> None:
    dense = built_once("dense", build_dense)
    names = ["dense@onnxruntime", "dense@torch"]
    variants = [f"{dense}@{name.partition('@')[2]}" for name in names]
    with running_server(variants, tmp_path / "server.log", ["--queue-deadline", "60"]) as url:
        ask_many(url, names)
        before = held(url)
        outcomes = ask_many(url, names)
        after = held(url)
    assert outcomes.keys() == {(True, 200), (False, 400)}
    assert after.keys() == before.keys(), "no worker was started anew"
    for pid, now in after.items():
        assert now.bytes - before[pid].bytes < GROWTH_BYTES
        assert now.files - before[pid].files <= FEW
        assert now.threads - before[pid].threads <= FEW
