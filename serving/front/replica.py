"""What the front knows of an engine that lives elsewhere: a worker process, this process, another machine.

`docs/adding-a-host.md` says how another kind is added; `tests/serving/front/test_replicas.py` is what all kinds pass.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from serving.front.settings import VariantSpec
from serving.wire.messages import Ask, BatchDone, Beat, Ready, Reply

State = Literal["loading", "ready", "failed", "ended"]


class ReplicaLost(Exception):
    """The replica ended with this request in its hands; `was_running`: it was at work on it."""

    def __init__(self, was_running: bool = False) -> None:
        self.was_running = was_running
        super().__init__("the replica with this request ended")


@dataclass(frozen=True, slots=True)
class Listener:
    """What a replica calls when something happens, always on the front's event loop.

    on_ready: the variant is loaded, also each time that it was loaded again.
    on_batch: the engine has ended a call.
    on_change: the state, the beat or the time of the load is another one.
    on_restart: the engine ended, or could not be loaded, and is started again.
    on_death: the requests that the engine was running when it ended; called before their futures raise ReplicaLost.
    on_part: bytes of an answer have come before its reply, which a request that is asked `in_parts` allows.
    """

    on_ready: Callable[[Ready], None]
    on_batch: Callable[[BatchDone], None]
    on_change: Callable[[], None]
    on_restart: Callable[[], None]
    on_death: Callable[[Sequence[Ask]], None]
    on_part: Callable[[Reply], None] = lambda _: None


class Replica(Protocol):
    """One engine. Everything is called on the front's event loop, and nothing but `run` takes long.

    state: loading, ready, failed (it cannot be loaded) or ended; `error` says why it is not ready.
    facts: what it loaded, for `/variants`; kept while it is started again.
    load_s: how long the last load took.
    beat: what waits in it, and its memory.
    in_hand: requests that it was asked and has not answered.
    retry_after_s: when it may be worth asking again while it is not ready.
    """

    @property
    def state(self) -> State: ...
    @property
    def error(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def load_s(self) -> float: ...
    @property
    def beat(self) -> Beat: ...
    @property
    def in_hand(self) -> int: ...
    @property
    def retry_after_s(self) -> float: ...

    async def run(self) -> None:
        """Keep the engine running until cancelled; then it has ended, and no future is left undone."""
        ...

    def ask(self, ask: Ask) -> "asyncio.Future[Reply]":
        """The reply to come, which may be the engine's refusal or error. Only a replica that is ready is asked.

        The future raises ReplicaLost where the engine ends first.
        """
        ...

    def cancel(self, request_id: int) -> None:
        """Nobody waits for this request any more; nothing happens where it was answered, or never asked."""
        ...

    def describe(self) -> dict[str, Any]:
        """Its entry under `workers` in `/variants`: at least state and error."""
        ...


MakeReplica = Callable[[VariantSpec, Listener], Replica]
"""Makes a replica of a variant; it does nothing before it runs."""
