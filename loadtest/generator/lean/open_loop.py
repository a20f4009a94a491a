"""The open loop: requests leave when they are due, and nobody waits."""

import asyncio
import time

from loadtest.generator.lean.connection import Answer, Connection, Exchange, Outcome
from loadtest.generator.lean.loops import Load


class OpenLoop(Load):
    """Requests leave when they are due, however many are unanswered, over as many connections as that takes."""

    async def _run(self) -> None:
        self._idle: list[Connection] = []
        self._open = 0
        self._unanswered = 0
        self._none_left = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        schedule = self._schedule()
        self.begun_s = time.perf_counter()
        for due_s in schedule:
            # Timers count whole milliseconds, so a sleep may end a little early.
            while (wait_s := due_s - self.now_s()) > 0:  # noqa: ASYNC110 - it is a time that is waited for
                await asyncio.sleep(wait_s)
            self._leave(due_s)
        while self._unanswered:
            self._none_left.clear()
            await self._none_left.wait()
        for connection in self._idle:
            connection.abort()

    def _schedule(self) -> list[float]:
        assert self.plan.arrivals is not None, "this is a bug: an open loop has arrivals"
        assert self.plan.seconds is not None, "this is a bug: an open loop is bounded by seconds"
        return self.plan.arrivals.due_s(self.plan.seconds)

    def _leave(self, due_s: float) -> None:
        exchange = self._exchange(due_s)
        self._unanswered += 1
        if self.plan.most_lag_s is not None and exchange.sent_s - due_s > self.plan.most_lag_s:
            self._over(exchange, "not sent")
            return
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                self._send(connection, exchange)
                return
            self._open -= 1
        self._leave_on_new(exchange)

    def _leave_on_new(self, exchange: Exchange) -> None:
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

    def _over(self, exchange: Exchange, outcome: Outcome, answer: Answer | None = None) -> None:
        super()._over(exchange, outcome, answer)
        self._unanswered -= 1
        if not self._unanswered:
            self._none_left.set()

    def _released(self, connection: Connection | None) -> None:
        if connection is None:
            self._open -= 1
        else:
            self._idle.append(connection)
