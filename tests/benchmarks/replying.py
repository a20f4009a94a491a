"""A process that replies with what it was first told and what it is told now; told to end, it ends."""

import os
from collections.abc import Callable

import msgspec

from benchmarks.harness.asked import reply_to_all


def opened(first: bytes) -> tuple[object, Callable[[bytes], object]]:
    def answer(line: bytes) -> object:
        print("what an engine prints")  # noqa: T201
        if msgspec.json.decode(line) == "end":
            os._exit(3)
        return [msgspec.json.decode(first), msgspec.json.decode(line)]

    return {"opened": msgspec.json.decode(first)}, answer


if __name__ == "__main__":
    reply_to_all(opened)
