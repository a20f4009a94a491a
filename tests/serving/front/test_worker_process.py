"""Workers that cannot be started leave nothing open."""

import asyncio
from pathlib import Path

import pytest

from serving.cpu_plan import make_plan
from serving.front.settings import Settings, VariantSpec
from serving.front.worker_process import WorkerProcess

STARTS = 20


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("python", ["/no/such/python", "/", "\0"], ids=["absent", "a folder", "no path"])
def test_starts_that_fail_leave_no_descriptor_open(tmp_path: Path, python: str) -> None:
    spec, plan = VariantSpec("x", tmp_path, "python", python), make_plan((0,), 1, streams=1)

    async def starts() -> list[int]:
        counts = []
        for _ in range(STARTS):
            with pytest.raises((OSError, ValueError)):
                await WorkerProcess.start(spec, Settings(), plan)
            counts.append(descriptors())
        return counts

    first, *_, last = asyncio.run(starts())
    assert first == last


def test_starts_that_are_cancelled_leave_no_descriptor_open(tmp_path: Path) -> None:
    # One that goes on for as long as nobody ends it.
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    spec, plan = VariantSpec("x", tmp_path, "python", str(script)), make_plan((0,), 1, streams=1)

    async def starts() -> list[int]:
        counts = []
        for _ in range(STARTS):
            starting = asyncio.create_task(WorkerProcess.start(spec, Settings(), plan))
            await asyncio.sleep(0)
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            counts.append(descriptors())
        return counts

    first, *_, last = asyncio.run(starts())
    assert last <= first
