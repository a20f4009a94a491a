from pathlib import Path

import pytest

from serving.cgroup import machine_memory_bytes, memory_limit_bytes
from serving.memory_plan import make_memory_plan

MIB = 2**20


@pytest.mark.parametrize(("stated", "limit"), [("max\n", None), ("536870912\n", 512 * MIB)])
def test_the_limit_of_cgroup_v2_is_read(tmp_path: Path, stated: str, limit: int | None) -> None:
    (tmp_path / "memory.max").write_text(stated)
    assert memory_limit_bytes(tmp_path) == limit


@pytest.mark.parametrize(("stated", "limit"), [("9223372036854771712\n", None), ("536870912\n", 512 * MIB)])
def test_the_limit_of_cgroup_v1_is_read(tmp_path: Path, stated: str, limit: int | None) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(stated)
    assert memory_limit_bytes(tmp_path) == limit


def test_where_nothing_is_stated_there_is_no_limit(tmp_path: Path) -> None:
    assert memory_limit_bytes(tmp_path) is None


@pytest.mark.parametrize(("container_mib", "workers", "worker_mib"), [(1024, 1, 768), (1024, 2, 384), (300, 1, 256)])
def test_workers_share_what_the_front_and_its_bodies_leave(container_mib: int, workers: int, worker_mib: int) -> None:
    plan = make_memory_plan(container_mib * MIB, 4096 * MIB, workers)
    assert plan.worker_mib == worker_mib
    assert plan.bodies_mib == container_mib // 8
    assert str(plan) == (
        f"{container_mib} MiB, bodies in flight have {plan.bodies_mib}, "
        f"a worker with more than {worker_mib} MiB is started anew"
    )


def test_without_a_container_bodies_have_a_share_of_the_machine_and_workers_no_limit() -> None:
    plan = make_memory_plan(None, machine_memory_bytes(), 1)
    assert plan.worker_mib is None
    assert 0 < plan.bodies_mib <= plan.total_mib // 8
    assert str(plan) == f"machine of {plan.total_mib} MiB, bodies in flight have {plan.bodies_mib}"


def test_a_limit_beyond_the_machine_is_none() -> None:
    assert make_memory_plan(8192 * MIB, 1024 * MIB, 1).total_mib == 1024
