"""The shadow variant: it gets a copy of each request, and nobody waits for what it answers."""

import asyncio
import logging

from paretoserve.sagemaker.emulator.container import Container, NoAnswer
from paretoserve.sagemaker.emulator.description import MAX_BODY_BYTES, Endpoint
from paretoserve.sagemaker.emulator.invocation import Invocation
from serving.headers import TARGET_VARIANT

log = logging.getLogger("paretoserve.sagemaker")

# Copies under way; a request that finds so many is not copied, so that a slow shadow holds no more than these bodies.
MOST_COPIES = 32


class Shadow:
    """Counts what becomes of its copies: answered 2xx, failed in any other way, or dropped for being too many."""

    def __init__(self, endpoint: Endpoint, container: Container) -> None:
        self._name, self._timeout_s, self._container = endpoint.shadow, endpoint.timeout_s, container
        self._copies: set[asyncio.Task[None]] = set()
        self.counts = {"answered": 0, "failed": 0, "dropped": 0}

    def copy(self, invocation: Invocation) -> None:
        """Send a copy in a task of its own; does nothing where the endpoint has no shadow."""
        if self._name is None:
            return
        if len(self._copies) >= MOST_COPIES:
            self.counts["dropped"] += 1
            return
        task = asyncio.create_task(self._ask(invocation, self._name))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def drain(self) -> None:
        """Return once no copy is under way."""
        if self._copies:
            await asyncio.wait(self._copies)

    async def _ask(self, invocation: Invocation, name: str) -> None:
        headers = (*invocation.headers, (TARGET_VARIANT.encode(), name.encode()))
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._container.asked("POST", "/invocations", headers, invocation.body) as answer,
            ):
                await answer.read(MAX_BODY_BYTES)
                self.counts["answered" if 200 <= answer.status < 300 else "failed"] += 1
        except (NoAnswer, TimeoutError) as exc:
            self.counts["failed"] += 1
            log.debug("a copy for the shadow variant failed (%s)", exc)
