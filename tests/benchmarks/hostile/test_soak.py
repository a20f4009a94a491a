"""What a soak tells of its samples, and a short one; `make soak` is a long one."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.hostile.soak import Soak, Soaked, run_soak
from benchmarks.hostile.watch import Holding, Server
from tests.handlers.variants import build_dense
from tests.serving.front_server import Front, front, spec

MIB = 2**20


def soaked(minutes: int, mib_per_minute: float) -> Soaked:
    """Samples of a process that grows like this after a start in which it grew much more."""
    found = Soaked()
    for at in range(0, 60 * minutes, 5):
        grown = 50 * min(1.0, at / 60) + mib_per_minute * at / 60
        found.samples.append((float(at), {"front": Holding(int((100 + grown) * MIB), 20, 3, 1)}))
    return found


@pytest.mark.parametrize("mib_per_minute", [0.0, 0.5])
def test_the_slope_is_of_what_comes_after_the_start(mib_per_minute: float) -> None:
    slope = soaked(30, mib_per_minute).figures(settle_s=120)["memory_mib_per_hour"]["front"]
    assert slope["slope"] == pytest.approx(60 * mib_per_minute, abs=0.1)
    assert slope["low"] <= slope["slope"] <= slope["high"]
    assert {type(one) for one in slope.values()} == {float}, "a result is written as JSON"


def test_memory_that_is_given_back_twice_a_minute_does_not_hide_a_leak_of_a_few_kib_a_minute() -> None:
    sawtooth = Soaked()
    for at in range(0, 3600, 1):
        held = 100 + 8 * (at * 7919 % 97) / 97 * (at % 30) / 30 + 0.05 * at / 60
        sawtooth.samples.append((float(at), {"front": Holding(int(held * MIB), 20, 3, 1)}))
    slope = sawtooth.figures(settle_s=600)["least_memory_mib_per_hour"]["front"]
    assert slope["slope"] == pytest.approx(3.0, abs=0.2)
    assert slope["high"] - slope["low"] < 0.5


def server_of(running: Front) -> Server:
    return Server(str(running.http.base_url).rstrip("/"), running.process.pid)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kill_every_s", [None, 10.0])
def test_nothing_is_left_of_a_minute_of_good_and_bad_traffic(tmp_path: Path, kill_every_s: float | None) -> None:
    settings: dict[str, Any] = {"header_timeout_s": 5.0, "body_timeout_s": 8.0, "queue_deadline_s": 5.0}
    with front([spec(build_dense(tmp_path))], supervision={"LAST_BACK_OFF_S": 0.1}, **settings) as running:
        found = run_soak(server_of(running), Soak(60.0, settle_s=20.0, kill_every_s=kill_every_s))
    assert not found.faults
    assert found.statuses["200"] > 300
    assert (found.kills > 3) == bool(kill_every_s)
    first, last = found.samples[0][1]["front"], found.samples[-1][1]["front"]
    assert (last.threads, last.children) == (first.threads, first.children)
    assert last.descriptors <= first.descriptors
    settled = next(held["front"] for at, held in found.samples if at >= 20)
    assert last.resident_bytes - settled.resident_bytes < 16 * MIB
