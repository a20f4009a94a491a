"""Speeds of calls that several streams run at once."""

import threading

from benchmarks.harness.streams import Counted, texts_per_s


def test_each_stream_runs_its_share_and_all_texts_count() -> None:
    asked: dict[str, set[int]] = {}
    both = threading.Barrier(2, timeout=10)

    def run(call: str) -> None:
        if call not in asked:
            both.wait()
        asked.setdefault(call, set()).add(threading.get_ident())

    per_s = texts_per_s(run, [Counted("a", 3), Counted("b", 5)], streams=2, seconds=0.02)
    assert per_s > 0
    assert all(len(threads) == 1 for threads in asked.values())
    assert asked["a"] != asked["b"]
