"""Which split of its cores a worker keeps, on engines whose speed is told, and in time that passes as they work."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlers.backends.base import Batch, Logits, Placement, SessionInfo
from handlers.handler import Handler
from handlers.pipeline import Pipeline
from handlers.tasks.text_classification import TextClassification
from handlers.tokens.packing import PackedBatch, Tokens
from handlers.user_code import UserCode
from model_store.manifest import Manifest, Technique
from serving.calibration import rounds
from serving.cpu_plan import StreamSplit, make_plan, usable_cores
from serving.worker import loading
from serving.worker.loading import Loaded, load_fastest
from tests.serving.front_server import front, spec

MANIFEST = Manifest(
    model="m", variant="v", technique=Technique(recipe="toy"), task_settings={"labels": ["a"]}, max_tokens=64
)


class Clock:
    """Time that passes when an engine works."""

    def __init__(self) -> None:
        self._now, self._lock = 0.0, threading.Lock()

    def perf_counter(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds


@dataclass
class TimedSession:
    """Computes so many tokens a second, all streams together."""

    clock: Clock
    tokens_per_s: float
    info: SessionInfo
    calls: int = 0
    closed: bool = False

    def run(self, batch: Batch) -> Logits:
        assert isinstance(batch, PackedBatch)
        self.calls += 1
        self.clock.advance(batch.input_ids.size / self.tokens_per_s)
        return np.zeros((len(batch.cls_index), 1), np.float32)

    def close(self) -> None:
        self.closed = True


class SevenTokens:
    def __call__(self, text: str) -> Tokens:
        return Tokens(np.arange(7), np.zeros(7, np.int64))


@dataclass
class Loader:
    """In place of `load_handler`: the speed of each split, and what was loaded with it."""

    speeds: Mapping[StreamSplit, float]
    user: UserCode = field(default_factory=UserCode)
    clock: Clock = field(default_factory=Clock)
    sessions: dict[StreamSplit, TimedSession] = field(default_factory=dict)

    def __call__(self, folder: Path, manifest: Manifest, backend: str, placement: Placement) -> Handler:
        split = StreamSplit(placement.streams, placement.threads)
        assert split not in self.sessions, "loaded twice"
        info = SessionInfo("toy", "1", "float32", placement)
        session = self.sessions[split] = TimedSession(self.clock, self.speeds[split], info)
        tokenizer: Any = SevenTokens()
        return Handler(manifest, Pipeline(session, tokenizer, TextClassification(("a",))), self.user)

    def fastest(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Loaded, dict[StreamSplit, float]]:
        monkeypatch.setattr(loading, "load_handler", self)
        monkeypatch.setattr(loading, "time", self.clock)
        monkeypatch.setattr(rounds, "time", self.clock)
        return load_fastest(Path(), MANIFEST, "toy", tuple(self.speeds), batch_tokens=256)

    @property
    def open(self) -> list[StreamSplit]:
        return [split for split, session in self.sessions.items() if not session.closed]


@pytest.mark.parametrize(
    ("speeds", "kept"),
    [
        ({StreamSplit(2, 1): 2000.0, StreamSplit(1, 2): 1000.0}, StreamSplit(2, 1)),
        ({StreamSplit(1, 2): 1000.0, StreamSplit(2, 1): 2000.0}, StreamSplit(2, 1)),
        ({StreamSplit(2, 1): 1000.0, StreamSplit(1, 2): 2000.0}, StreamSplit(1, 2)),
        ({StreamSplit(4, 1): 1000.0, StreamSplit(2, 2): 2000.0, StreamSplit(1, 4): 1500.0}, StreamSplit(2, 2)),
    ],
)
def test_the_clearly_faster_split_is_kept_and_the_others_are_closed(
    speeds: dict[StreamSplit, float], kept: StreamSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader(speeds)
    loaded, measured = loader.fastest(monkeypatch)
    assert loaded.split == kept
    assert loader.open == [kept]
    assert loaded.handler.session_info == loader.sessions[kept].info
    assert measured == pytest.approx(speeds)


@pytest.mark.parametrize(
    ("speeds", "kept"),
    [
        ({StreamSplit(2, 1): 1000.0, StreamSplit(1, 2): 1000.0}, StreamSplit(1, 2)),
        ({StreamSplit(2, 1): 1040.0, StreamSplit(1, 2): 1000.0}, StreamSplit(1, 2)),
        # Both are as good as the one before them, but of these one only is as good as the fastest.
        ({StreamSplit(4, 1): 1080.0, StreamSplit(2, 2): 1040.0, StreamSplit(1, 4): 1000.0}, StreamSplit(2, 2)),
    ],
)
def test_of_splits_that_are_as_good_as_equal_the_one_of_fewest_streams_is_kept(
    speeds: dict[StreamSplit, float], kept: StreamSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader(speeds)
    loaded, _ = loader.fastest(monkeypatch)
    assert (loaded.split, loader.open) == (kept, [kept])


def test_a_split_without_an_alternative_is_warmed_up_and_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader({StreamSplit(2, 1): 1000.0})
    loaded, measured = loader.fastest(monkeypatch)
    assert (loaded.split, measured, loader.open) == (StreamSplit(2, 1), {}, [StreamSplit(2, 1)])
    assert loaded.cost.per_token_s == pytest.approx(1 / 1000)
    assert loaded.call_tokens >= 32
    assert loader.sessions[StreamSplit(2, 1)].calls > 0


def test_a_users_own_model_is_loaded_once_for_the_most_streams_and_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    user = UserCode(predict_fn=lambda data, model: data)
    loader = Loader({StreamSplit(1, 2): 1000.0, StreamSplit(2, 1): 1000.0}, user)
    loaded, measured = loader.fastest(monkeypatch)
    assert (loaded.split, measured, loader.open) == (StreamSplit(2, 1), {}, [StreamSplit(2, 1)])
    assert loader.sessions[StreamSplit(2, 1)].calls == 0


def test_variants_tells_what_was_measured_on_a_real_engine(dense: Path) -> None:
    plan = make_plan(usable_cores(), workers=1)
    with front([spec(dense)], streams=None) as server:
        told = server.variants()["dense"]
        assert server.ask("a good film").status_code == 200
    names = {str(split) for split in plan.splits}
    assert told["split"] in names
    assert set(told["measured_tokens_per_s"]) == (names if len(names) > 1 else set())
    assert all(speed > 0 for speed in told["measured_tokens_per_s"].values())
    placement = told["engine"]["placement"]
    assert told["split"] == str(StreamSplit(placement["streams"], placement["threads"]))
