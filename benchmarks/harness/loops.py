"""The two ways of sending load: closed loop (each client waits for its answer) and open loop (nobody waits)."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from benchmarks.harness.connection import Answer, Connection, Exchange, Outcome
from benchmarks.harness.plan import ClientPlan, ClientResult, Record

RECONNECT_PAUSE_S = 0.05
"""After a failed attempt to connect, so that a server that is down is asked twenty times a second, not thousands."""


class Load(ABC):
    """Sends the bodies of a plan in turn and records what becomes of each request."""

    def __init__(self, plan: ClientPlan) -> None:
        self.plan = plan
        self.keeps_answers = plan.keep_answers
        self._requests = [_request(plan, body) for body in plan.bodies]
        self._loop = asyncio.get_running_loop()
        self._records: list[Record] = []
        self._answers: dict[int, bytes] = {}
        self._started = 0
        self._begun_s = 0.0

    async def run(self) -> ClientResult:
        cpu_before_s = time.process_time()
        await self._run()
        seconds = self.plan.seconds or max((r.due_s + r.seconds for r in self._records), default=0.0)
        return ClientResult(self._records, seconds, time.process_time() - cpu_before_s, self._answers)

    @abstractmethod
    async def _run(self) -> None:
        """Send everything and return once the last request has its outcome."""

    @abstractmethod
    def _released(self, connection: Connection | None) -> None:
        """An exchange is over; `connection` can carry the next one, unless it is None."""

    def _now_s(self) -> float:
        return time.perf_counter() - self._begun_s

    def _exchange(self, due_s: float) -> Exchange:
        """The next request, whose time-out runs from now on."""
        exchange = Exchange(self._started % len(self._requests), due_s)
        exchange.timer = self._loop.call_later(self.plan.timeout_s, self._timed_out, exchange)
        self._started += 1
        return exchange

    def _send(self, connection: Connection, exchange: Exchange) -> None:
        connection.send(self._requests[exchange.body], exchange)

    async def _connect(self) -> Connection | None:
        """A new connection, or None where nobody answers."""
        try:
            _, connection = await self._loop.create_connection(lambda: Connection(self), self.plan.host, self.plan.port)
        except OSError:
            return None
        return connection

    def _over(self, exchange: Exchange, outcome: Outcome, retry_after: bool = False) -> None:
        assert exchange.timer is not None, "this is a bug: every exchange has a time-out"
        exchange.timer.cancel()
        exchange.timer = None
        seconds = self._now_s() - exchange.due_s
        self._records.append(Record(exchange.due_s, seconds, exchange.body, outcome, retry_after))

    # What connections and timers call.

    def answered(self, connection: Connection, exchange: Exchange, answer: Answer) -> None:
        self._over(exchange, answer.status, answer.retry_after)
        if self.keeps_answers:
            self._answers[exchange.body] = answer.content
        if connection.reusable:
            self._released(connection)
        else:
            connection.abort()
            self._released(None)

    def lost(self, connection: Connection, exchange: Exchange | None) -> None:
        if exchange is not None:
            self._over(exchange, "connection error")
            self._released(None)

    def _timed_out(self, exchange: Exchange) -> None:
        self._over(exchange, "timeout")
        if exchange.connection is not None:
            exchange.connection.abort()
            self._released(None)


class ClosedLoop(Load):
    """`plan.clients` connections, each of which sends its next request when it has the answer to the last one."""

    async def _run(self) -> None:
        self._finished = self._loop.create_future()
        self._clients = self.plan.clients
        self._tasks: set[asyncio.Task[None]] = set()
        connections = await asyncio.gather(*(self._connect() for _ in range(self.plan.clients)))
        self._begun_s = time.perf_counter()
        for connection in connections:
            self._released(connection)
        await self._finished

    def _released(self, connection: Connection | None) -> None:
        if self._is_done():
            self._retire(connection)
        elif connection is not None:
            self._send(connection, self._exchange(self._now_s()))
        else:
            task = self._loop.create_task(self._reconnect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reconnect(self) -> None:
        """Ask until somebody answers; each attempt that fails is a request that failed."""
        while not self._is_done():
            exchange = self._exchange(self._now_s())
            connection = await self._connect()
            if connection is not None and exchange.timer is not None:
                self._send(connection, exchange)
                return
            if connection is not None:  # too late: the request's time was up
                connection.abort()
            elif exchange.timer is not None:
                self._over(exchange, "connection error")
            await asyncio.sleep(RECONNECT_PAUSE_S)
        self._retire(None)

    def _is_done(self) -> bool:
        plan = self.plan
        out_of_time = plan.seconds is not None and self._now_s() >= plan.seconds
        return out_of_time or (plan.requests is not None and self._started >= plan.requests)

    def _retire(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.abort()
        self._clients -= 1
        if self._clients == 0:
            self._finished.set_result(None)


class OpenLoop(Load):
    """Requests leave when they are due, however many are unanswered, over as many connections as that takes."""

    async def _run(self) -> None:
        self._idle: list[Connection] = []
        self._open = 0
        self._unanswered = 0
        self._none_left = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun_s = time.perf_counter()
        for due_s in arrivals(self.plan):
            wait_s = due_s - self._now_s()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._leave(due_s)
        while self._unanswered:
            self._none_left.clear()
            await self._none_left.wait()
        for connection in self._idle:
            connection.abort()

    def _leave(self, due_s: float) -> None:
        exchange = self._exchange(due_s)
        self._unanswered += 1
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                self._send(connection, exchange)
                return
            self._open -= 1
        if self._open >= self.plan.max_connections:
            self._over(exchange, "not sent")
            return
        self._open += 1
        task = self._loop.create_task(self._send_on_new(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_on_new(self, exchange: Exchange) -> None:
        connection = await self._connect()
        if connection is None:
            self._open -= 1
            if exchange.timer is not None:
                self._over(exchange, "connection error")
        elif exchange.timer is None:  # too late: the request's time was up
            self._idle.append(connection)
        else:
            self._send(connection, exchange)

    def _over(self, exchange: Exchange, outcome: Outcome, retry_after: bool = False) -> None:
        super()._over(exchange, outcome, retry_after)
        self._unanswered -= 1
        if not self._unanswered:
            self._none_left.set()

    def _released(self, connection: Connection | None) -> None:
        if connection is None:
            self._open -= 1
        else:
            self._idle.append(connection)


def arrivals(plan: ClientPlan) -> Iterator[float]:
    """When the requests of an open loop are due: evenly spaced, or Poisson arrivals of the same mean rate."""
    assert plan.rate_per_s is not None, "this is a bug: an open loop has a rate"
    assert plan.seconds is not None, "this is a bug: an open loop is bounded by seconds"
    if plan.poisson_seed is None:
        yield from (i / plan.rate_per_s for i in range(round(plan.seconds * plan.rate_per_s)))
        return
    rng = random.Random(plan.poisson_seed)  # noqa: S311  arrivals need no secrets
    due_s = rng.expovariate(plan.rate_per_s)
    while due_s < plan.seconds:
        yield due_s
        due_s += rng.expovariate(plan.rate_per_s)


def _request(plan: ClientPlan, body: bytes) -> bytes:
    headers = {
        "Host": f"{plan.host}:{plan.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **plan.headers,
    }
    lines = [f"POST {plan.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
