"""Freed memory leaves the process, which the C library would keep."""

import asyncio
import subprocess
import sys

import pytest

from handlers.backends.catalogue import BACKENDS, has_own_memory
from serving import free_memory, tuning

# Blocks too small to be given back one by one, with a few kept between them.
HELD = """
import psutil
from serving.free_memory import give_back_free_memory

blocks = [bytes(2000) for _ in range(50_000)]
kept = blocks[::5_000]
del blocks
before = psutil.Process().memory_info().rss
give_back_free_memory()
print(before - psutil.Process().memory_info().rss, len(kept))
"""


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone can be told to")
def test_what_was_freed_between_blocks_that_are_kept_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert (given_back > 50_000_000, kept) == (True, 10)


@pytest.mark.timeout(60)
def test_it_is_given_back_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def until_twice() -> None:
        trimmed: list[int] = []
        twice = asyncio.Event()

        def trim(keep: int) -> None:
            trimmed.append(keep)
            if len(trimmed) == 2:
                twice.set()

        monkeypatch.setattr(free_memory, "_malloc_trim", trim)
        monkeypatch.setattr(tuning, "TRIM_S", 0.001)
        working = asyncio.create_task(free_memory.give_back_now_and_then())
        await twice.wait()
        working.cancel()

    asyncio.run(until_twice())


# A large block that is freed makes glibc keep the next ones in the heap, where one that stays holds the rest back.
FRAGMENTED = """
import os

import psutil
from serving.free_memory import map_large_blocks

if {mapped}:
    map_large_blocks()
first = b"x" * 30_000_000
del first
blocks = []
for _ in range(100):
    blocks.append(b"x" * 2_000_000)
    blocks.append(os.urandom(4_000))
del blocks[::2]
print(psutil.Process().memory_info().rss)
"""


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone can be told to")
def test_large_blocks_are_given_back_when_they_are_freed() -> None:
    def left(mapped: bool) -> int:
        program = FRAGMENTED.format(mapped=mapped)
        return int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)

    assert left(mapped=True) < left(mapped=False) - 100_000_000


def test_engines_that_take_memory_for_each_call_keep_it() -> None:
    assert [name for name in BACKENDS if has_own_memory(name)] == ["onnxruntime", "openvino"]
    assert not has_own_memory("python")
