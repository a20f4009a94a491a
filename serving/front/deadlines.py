"""The time by which every request is answered, whatever becomes of the engine that has it."""

import asyncio
import time

from model_store.errors import DeadlineExceeded
from serving import tuning
from serving.wire.messages import Reply

Answer = asyncio.Future[Reply]


class Deadlines:
    """Answers that are waited for, and until when (monotonic seconds).

    One look each second, instead of a timer for every request: an answer may come that much later.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, Answer]] = {}

    def await_until(self, request_id: int, until: float, answer: Answer) -> None:
        self._waiting[request_id] = until, answer

    def forget(self, request_id: int) -> None:
        self._waiting.pop(request_id, None)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(tuning.SWEEP_S)
            self.sweep(time.monotonic())

    def sweep(self, now: float) -> None:
        """Answers that are overdue raise DeadlineExceeded to who waits for them."""
        for until, answer in self._waiting.values():
            if until < now and not answer.done():
                answer.set_exception(DeadlineExceeded("The server did not answer this request in time; ask again."))
