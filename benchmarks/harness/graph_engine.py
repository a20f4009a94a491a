"""One engine with one graph, asked again and again how fast it is: `PYTHON -m benchmarks.harness.graph_engine`.

Run by the interpreter that has the engine. It is asked (`benchmarks.harness.asked`) with a `Setup` and then with
`SpeedQuery`s.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from benchmarks.harness.asked import asked, reply_to_all
from benchmarks.harness.engine import Call, arrival_order
from benchmarks.harness.streams import Counted, texts_per_s
from handlers.backends.base import ArtifactFile, Placement, Session
from handlers.backends.catalogue import open_session
from handlers.tokens.packing import Tokens, pack

FIXED_TOKENS = 128

TRIAL_S = 2.0

Workload = Literal["sentences", "fixed"]
"""Sentences end to end in packed rows, or texts of `FIXED_TOKENS` tokens in a row each."""

Trial = tuple[int, list[Call]]
"""How large calls are, in tokens or rows, and the calls."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What to open, in as many streams of one thread, and the token ids of the sentences to ask about.

    `call_tokens` are the sizes of packed calls, `call_rows` those of calls with fixed rows: of each the fastest counts.
    """

    backend: str
    file: str
    precision: str = "fp32"
    streams: int
    sentences: tuple[tuple[int, ...], ...]
    call_tokens: tuple[int, ...]
    call_rows: tuple[int, ...]


class Opened(msgspec.Struct, frozen=True):
    """What is really running, and the tokens and the rows of its fastest calls."""

    engine: str
    instruction_set: str
    precision: str
    details: dict[str, str]
    call_tokens: int
    call_rows: int


class SpeedQuery(msgspec.Struct, frozen=True):
    """How fast is this workload, measured for so many seconds?"""

    workload: Workload
    seconds: float


class GraphEngine:
    """The engine's process, as who asks sees it: `opened` is what is running there."""

    def __init__(self, opened: Opened, ask: Callable[[SpeedQuery], float]) -> None:
        self.opened, self._ask = opened, ask

    def texts_per_s(self, workload: Workload, seconds: float) -> float:
        return self._ask(SpeedQuery(workload, seconds))


@contextmanager
def graph_engine(interpreter: str, setup: Setup, cores: Sequence[int]) -> Iterator[GraphEngine]:
    """A process of the engine's own interpreter on these cores."""
    with asked(interpreter, "benchmarks.harness.graph_engine", cores) as engine:
        yield GraphEngine(engine.ask(setup, Opened), lambda query: engine.ask(query, float))


def speed(session: Session, calls: Sequence[Call], streams: int, seconds: float) -> float:
    """Texts a second when each stream runs its share of `calls` over and over, for about so long."""
    counted = [Counted(pack(rows, session.info.width_step), sum(map(len, rows))) for rows in calls]
    return texts_per_s(session.run, counted, streams, seconds)


def _fastest(session: Session, trials: Sequence[Trial], streams: int) -> Trial:
    """Everything is run once on the way, since engines prepare themselves for shapes that they meet."""
    for _, calls in trials:
        _run_each_shape(session, calls)
    if len(trials) == 1:
        return trials[0]
    return max(trials, key=lambda trial: speed(session, trial[1], streams, TRIAL_S))


def _run_each_shape(session: Session, calls: Sequence[Call]) -> None:
    batches = [pack(rows, session.info.width_step) for rows in calls]
    for batch in {batch.input_ids.shape: batch for batch in batches}.values():
        session.run(batch)


def _packed(setup: Setup) -> list[Trial]:
    sentences = [_tokens(ids) for ids in setup.sentences]
    return [(tokens, list(arrival_order(sentences, tokens))) for tokens in setup.call_tokens]


def _fixed(setup: Setup) -> list[Trial]:
    row = [_tokens(np.resize(np.concatenate(setup.sentences), FIXED_TOKENS).tolist())]
    return [(rows, [[row] * rows] * setup.streams) for rows in setup.call_rows]


def _tokens(ids: Sequence[int]) -> Tokens:
    return Tokens(np.array(ids, np.int64), np.zeros(len(ids), np.int64))


def _opened(line: bytes) -> tuple[Opened, Callable[[bytes], float]]:
    setup = msgspec.json.decode(line, type=Setup)
    artifact = ArtifactFile(Path(setup.file), setup.precision)
    session = open_session(setup.backend, artifact, Placement(streams=setup.streams))
    tokens, packed = _fastest(session, _packed(setup), setup.streams)
    rows, fixed = _fastest(session, _fixed(setup), setup.streams)
    calls: dict[Workload, list[Call]] = {"sentences": packed, "fixed": fixed}

    def answer(line: bytes) -> float:
        query = msgspec.json.decode(line, type=SpeedQuery)
        return speed(session, calls[query.workload], setup.streams, query.seconds)

    info = session.info
    engine = f"{info.engine} {info.version}"
    details = dict(info.details)
    return Opened(engine, info.instruction_set, info.executed_precision, details, tokens, rows), answer


if __name__ == "__main__":
    reply_to_all(_opened)
