"""What a worker is running at this moment, in memory that outlives it.

The worker notes before each piece of work which requests it is for, which costs no message and no system call. The
front reads how long a piece of work has lasted, and after a death, which requests were running. Linux only (memfd).
"""

import mmap
import os
import struct
from collections.abc import Sequence

# Requests noted for one call; of a larger one the rest goes unnoted.
MOST_NOTED = 255

_SLOT = struct.Struct(f"<dQ{MOST_NOTED}Q")
_HEAD = struct.Struct("<dQ")

# A worker writes some thousand times a second, so that a second look nearly always finds what the first one did.
_MOST_LOOKS = 100


class BlackBox:
    """One slot for each thread of the worker that may be at work. Times are `time.monotonic()` seconds."""

    def __init__(self, fd: int, slots: int) -> None:
        self.slots = slots
        self._map = mmap.mmap(fd, slots * _SLOT.size)

    @staticmethod
    def make_file(slots: int) -> int:
        """A descriptor of fresh memory for that many slots, to be handed to the worker; the caller closes it."""
        fd = os.memfd_create("black-box")
        os.ftruncate(fd, slots * _SLOT.size)
        return fd

    def begin(self, slot: int, ids: Sequence[int], now: float) -> None:
        """Note that these requests are being worked on from `now` on."""
        noted = ids[:MOST_NOTED]
        struct.pack_into(f"<dQ{len(noted)}Q", self._map, slot * _SLOT.size, now, len(noted), *noted)

    def end(self, slot: int) -> None:
        """Note that the work is done."""
        _HEAD.pack_into(self._map, slot * _SLOT.size, 0.0, 0)

    def running(self) -> set[int]:
        """The requests of all slots that are at work."""
        return {request_id for slot in range(self.slots) for request_id in self._ids(slot)}

    def oldest_s(self, now: float) -> float:
        """How long the longest piece of work that is going on has lasted; 0 where none is."""
        heads = map(self._head, range(self.slots))
        return max((now - started for started, count in heads if count), default=0.0)

    def _head(self, slot: int) -> tuple[float, int]:
        """What is read twice alike is whole: the worker may be writing meanwhile. It may write nonsense, too."""
        before, head = None, _HEAD.unpack_from(self._map, slot * _SLOT.size)
        for _ in range(_MOST_LOOKS):
            if head == before:
                break
            before, head = head, _HEAD.unpack_from(self._map, slot * _SLOT.size)
        started, count = head
        return started, min(count, MOST_NOTED)

    def _ids(self, slot: int) -> tuple[int, ...]:
        _, count = self._head(slot)
        ids: tuple[int, ...] = struct.unpack_from(f"<{count}Q", self._map, slot * _SLOT.size + _HEAD.size)
        return ids

    def close(self) -> None:
        self._map.close()
