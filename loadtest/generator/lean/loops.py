"""What both loops share, and the closed loop: each client waits for its answer and asks again at once."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

from loadtest.generator.lean.connection import Answer, Connection, Exchange, Outcome
from loadtest.generator.lean.plan import ClientPlan, ClientResult, Record
from loadtest.sagemaker.outcomes import is_rejected
from loadtest.sagemaker.signing import SignedHeaders

RECONNECT_PAUSE_S = 0.05
"""After a failed attempt to connect, so that a server that is down is asked twenty times a second, not thousands."""


class Load(ABC):
    """Sends the bodies of a plan in turn and records what becomes of each request."""

    def __init__(self, plan: ClientPlan) -> None:
        self.plan = plan
        self.keeps_answers = plan.keep_answers
        self.keeps_errors = plan.sagemaker_region is not None
        self._signed = _signed(plan)
        self._requests = [_request(plan, body, plan.headers) for body in plan.bodies]
        self._loop = asyncio.get_running_loop()
        self.records: list[Record] = []
        """In the order in which requests were over."""
        self._answers: dict[int, bytes] = {}
        self._started = 0
        self.begun_s = 0.0
        """On the clock of `time.perf_counter`."""

    async def run(self) -> ClientResult:
        cpu_before_s = time.process_time()
        await self._run()
        seconds = self.plan.seconds or max((r.due_s + r.seconds for r in self.records), default=0.0)
        return ClientResult(self.records, seconds, time.process_time() - cpu_before_s, self._answers)

    @abstractmethod
    async def _run(self) -> None:
        """Send everything and return once the last request has its outcome."""

    @abstractmethod
    def _released(self, connection: Connection | None) -> None:
        """An exchange is over; `connection` can carry the next one, unless it is None."""

    def now_s(self) -> float:
        """Since the loop began."""
        return time.perf_counter() - self.begun_s

    def _exchange(self, due_s: float) -> Exchange:
        """The next request, whose time-out runs from now on."""
        exchange = Exchange(self._started % len(self._requests), due_s, self.now_s())
        exchange.timer = self._loop.call_later(self.plan.timeout_s, self._timed_out, exchange)
        self._started += 1
        return exchange

    def _send(self, connection: Connection, exchange: Exchange) -> None:
        number = exchange.body
        if self._signed is None:
            request = self._requests[number]
        else:
            request = _request(self.plan, self.plan.bodies[number], self._signed.of(number))
        connection.send(request, exchange)

    async def _connect(self) -> Connection | None:
        """A new connection, or None where nobody answers."""
        try:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), self.plan.host, self.plan.port, ssl=self.plan.tls or None
            )
        except OSError:
            return None
        return connection

    def _over(self, exchange: Exchange, outcome: Outcome, answer: Answer | None = None) -> None:
        assert exchange.timer is not None, "this is a bug: every exchange has a time-out"
        exchange.timer.cancel()
        exchange.timer = None
        due_s, lag_s = exchange.due_s, exchange.sent_s - exchange.due_s
        retry_after, timing = (answer.retry_after, answer.server_timing) if answer else (False, "")
        rejected = self._is_rejected(answer)
        record = Record(due_s, self.now_s() - due_s, exchange.body, outcome, retry_after, lag_s, timing, rejected)
        self.records.append(record)

    def _is_rejected(self, answer: Answer | None) -> bool | None:
        if self._signed is None or answer is None:
            return None
        return is_rejected(answer.status, answer.error_type, answer.content)

    # What connections and timers call.

    def answered(self, connection: Connection, exchange: Exchange, answer: Answer) -> None:
        self._over(exchange, answer.status, answer)
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
        self.begun_s = time.perf_counter()
        for connection in connections:
            self._released(connection)
        await self._finished

    def _released(self, connection: Connection | None) -> None:
        if self._is_done():
            self._retire(connection)
        elif connection is not None:
            self._send(connection, self._exchange(self.now_s()))
        else:
            task = self._loop.create_task(self._reconnect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reconnect(self) -> None:
        """Ask until somebody answers; each attempt that fails is a request that failed."""
        while not self._is_done():
            exchange = self._exchange(self.now_s())
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
        out_of_time = plan.seconds is not None and self.now_s() >= plan.seconds
        return out_of_time or (plan.requests is not None and self._started >= plan.requests)

    def _retire(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.abort()
        self._clients -= 1
        if self._clients == 0:
            self._finished.set_result(None)


def _signed(plan: ClientPlan) -> SignedHeaders | None:
    if plan.sagemaker_region is None:
        return None
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    url = f"{'https' if plan.tls else 'http'}://{host}:{plan.port}{plan.path}"
    return SignedHeaders(url, plan.headers, plan.bodies, plan.sagemaker_region)


def _request(plan: ClientPlan, body: bytes, given: Mapping[str, str]) -> bytes:
    headers = {
        "Host": f"{plan.host}:{plan.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **given,
    }
    lines = [f"POST {plan.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
