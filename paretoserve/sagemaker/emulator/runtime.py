"""What an endpoint does with an invocation: let in, choose a variant, copy to the shadow, ask, read the answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from paretoserve.sagemaker.emulator.container import Answer, Container, NoAnswer
from paretoserve.sagemaker.emulator.description import MAX_BODY_BYTES, Endpoint
from paretoserve.sagemaker.emulator.errors import (
    endpoint_not_found,
    model_error,
    model_not_ready,
    no_answer,
    service_unavailable,
    throttled,
    timed_out,
)
from paretoserve.sagemaker.emulator.invocation import Invocation
from paretoserve.sagemaker.emulator.models import Models
from paretoserve.sagemaker.emulator.shadow import Shadow
from paretoserve.sagemaker.emulator.weights import WeightedTurns
from serving.headers import TARGET_VARIANT

POLL_S = 0.1

# Of an answer with an error, so much is read.
_ERROR_BYTES = 64 * 1024


class Runtime:
    """One endpoint in front of one container. Lives on the event loop."""

    def __init__(self, endpoint: Endpoint, container_url: str) -> None:
        self.endpoint = endpoint
        self.container = Container(container_url)
        self.shadow = Shadow(endpoint, self.container)
        self._turns = WeightedTurns(endpoint.variants)
        self._models = Models(endpoint, self.container)
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.in_service = self.draining = False
        self.invocations = {one.name: 0 for one in endpoint.variants}

    async def wait_for_service(self) -> None:
        """Until the container has said once that it is ready. It may be unready later, as one of SageMaker's may."""
        while not self.in_service:
            try:
                async with asyncio.timeout(2.0), self.container.asked("GET", "/ping") as answer:
                    self.in_service = answer.status == 200
            except (NoAnswer, TimeoutError):
                pass
            await asyncio.sleep(POLL_S)

    def check(self, name: str) -> None:
        """Nothing where the endpoint of this name takes invocations; raises PlatformError."""
        if name != self.endpoint.name:
            raise endpoint_not_found(name, self.endpoint)
        if self.draining:
            raise service_unavailable("The emulator is shutting down.")
        if not self.in_service and self.endpoint.kind == "real-time":
            raise endpoint_not_found(name, self.endpoint, "It is being created; wait until its variants are ready.")
        if not self.in_service:
            raise model_not_ready(f"Endpoint {name} is being provisioned; try again.")

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """One of the invocations at once; raises PlatformError where there are too many."""
        if self.endpoint.max_concurrent is not None and self._in_flight >= self.endpoint.max_concurrent:
            raise throttled()
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def drain(self) -> None:
        """Take nothing more, and return once everything taken is answered."""
        self.draining = True
        await self._idle.wait()
        await self.shadow.drain()

    @asynccontextmanager
    async def invoked(self, asked: Invocation, timeout_s: float | None = None) -> AsyncIterator[tuple[str, Answer]]:
        """The production variant that was asked, and its answer, which is 2xx and is read within the block.

        Raises:
            PlatformError: also within the block, where the answer breaks off or takes too long.
        """
        name = asked.target_variant or self._turns.next()
        self.invocations[name] += 1
        self.shadow.copy(asked)
        seconds = timeout_s or self.endpoint.timeout_s
        headers = (*asked.headers, (TARGET_VARIANT.encode(), name.encode()))
        try:
            path = await self._path(asked)
            async with (
                asyncio.timeout(seconds),
                self.container.asked("POST", path, headers, asked.body) as answer,
            ):
                await self._check(answer, path)
                yield name, answer
        except TimeoutError as exc:
            raise timed_out(self.endpoint, seconds) from exc
        except NoAnswer as exc:
            raise no_answer(self.endpoint) from exc

    async def answered(self, invocation: Invocation, timeout_s: float | None = None) -> tuple[str, Answer, bytes]:
        """The same with the whole body; raises PlatformError."""
        async with self.invoked(invocation, timeout_s) as (name, answer):
            body = await answer.read(MAX_BODY_BYTES)
            if len(body) > MAX_BODY_BYTES:
                raise model_error(self.endpoint, 0, f"The answer is over the limit of {MAX_BODY_BYTES} bytes.")
            return name, answer, body

    async def _path(self, invocation: Invocation) -> str:
        return await self._models.path(invocation.target_model) if invocation.target_model else "/invocations"

    async def _check(self, answer: Answer, path: str) -> None:
        if 200 <= answer.status < 300:
            return
        original = (await answer.read(_ERROR_BYTES)).decode(errors="replace")
        if answer.status == 404 and path != "/invocations":
            self._models.forget(path)
        raise model_error(self.endpoint, answer.status, original)
