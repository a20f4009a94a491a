import os
from pathlib import Path

import pytest

from serving.cpu_plan import CpuPlan, StreamSplit, make_plan, usable_cores


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process may run on cores 2 to 9."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {9, *range(2, 9)})


def v1(cgroup: Path, quota_us: int, period_us: int) -> None:
    (cgroup / "cpu").mkdir()
    (cgroup / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota_us}\n")
    (cgroup / "cpu" / "cpu.cfs_period_us").write_text(f"{period_us}\n")


@pytest.mark.usefixtures("eight_cores")
def test_without_a_quota_all_allowed_cores_are_ours(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == tuple(range(2, 10))


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("cpu_max", "cores"),
    [
        ("max 100000\n", 8),
        ("400000 100000\n", 4),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("9900000 100000\n", 8),
    ],
)
def test_a_quota_of_cgroup_v2_limits_the_cores_rounded_up(tmp_path: Path, cpu_max: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(cpu_max)
    assert usable_cores(tmp_path) == tuple(range(2, 2 + cores))


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("quota_us", "cores"), [(-1, 8), (0, 8), (50_000, 1), (100_000, 1), (250_000, 3), (9_900_000, 8)]
)
def test_a_quota_of_cgroup_v1_limits_the_cores_rounded_up(tmp_path: Path, quota_us: int, cores: int) -> None:
    v1(tmp_path, quota_us, 100_000)
    assert usable_cores(tmp_path) == tuple(range(2, 2 + cores))


def test_the_affinity_of_the_process_is_respected(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        assert usable_cores(tmp_path) == (core,)
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("cores", "workers", "streams", "threads", "split"),
    [
        (8, 1, 2, None, (2, 4)),
        (8, 1, None, 4, (2, 4)),
        (8, 1, None, 16, (1, 16)),
        (8, 1, 3, 2, (3, 2)),
        (8, 2, 4, None, (4, 1)),
        (2, 1, 4, None, (4, 1)),
        (2, 4, 1, None, (1, 1)),
    ],
)
def test_what_the_operator_says_is_the_plan(
    cores: int, workers: int, streams: int | None, threads: int | None, split: tuple[int, int]
) -> None:
    assert make_plan(tuple(range(cores)), workers, streams, threads).splits == (split,)


@pytest.mark.parametrize(
    ("cores", "workers", "splits"),
    [
        (1, 1, [(1, 1)]),
        (2, 1, [(2, 1), (1, 2)]),
        (2, 4, [(1, 1)]),
        (8, 1, [(8, 1), (4, 2), (2, 4), (1, 8)]),
        (8, 3, [(2, 1), (1, 2)]),
        (16, 1, [(16, 1), (8, 2), (4, 4), (1, 16)]),
    ],
)
def test_what_nobody_says_is_left_to_be_measured(cores: int, workers: int, splits: list[tuple[int, int]]) -> None:
    assert list(make_plan(tuple(range(cores)), workers).splits) == splits


@pytest.mark.parametrize(
    ("cores", "written"),
    [
        ((0,), "1 core (0)"),
        ((0, 1, 2, 5), "4 cores (0-2,5)"),
        ((1, 3, 5), "3 cores (1,3,5)"),
        ((4, 5), "2 cores (4-5)"),
    ],
)
def test_a_plan_is_printed_with_its_cores_as_ranges(cores: tuple[int, ...], written: str) -> None:
    assert str(CpuPlan(cores, 2, (StreamSplit(3, 4),))) == f"{written}, 2 workers of 3 streams of 4 threads"


def test_a_plan_with_several_splits_says_that_the_fastest_is_kept() -> None:
    plan = CpuPlan((0, 1), 1, (StreamSplit(2, 1), StreamSplit(1, 2)))
    assert str(plan) == (
        "2 cores (0-1), 1 worker of 2 streams of 1 thread or 1 stream of 2 threads, whichever is faster"
    )


@pytest.mark.usefixtures("eight_cores")
def test_of_a_quota_nobody_says_which_cores_they_are() -> None:
    assert str(make_plan((2,), 1)) == "1 core (by quota), 1 worker of 1 stream of 1 thread"
