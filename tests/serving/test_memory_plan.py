from pathlib import Path

import pytest

from serving.cgroup import memory_limit_bytes
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
    assert make_memory_plan(None, 1) is None


@pytest.mark.parametrize(("container_mib", "workers", "worker_mib"), [(1024, 1, 896), (1024, 2, 448), (300, 1, 256)])
def test_workers_share_what_the_front_leaves(container_mib: int, workers: int, worker_mib: int) -> None:
    plan = make_memory_plan(container_mib * MIB, workers)
    assert plan is not None
    assert plan.worker_mib == worker_mib
    assert str(plan) == f"{container_mib} MiB, a worker with more than {worker_mib} MiB is started anew"
