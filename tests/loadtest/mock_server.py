"""An endpoint with a known service time and a known gate, run in a thread of the test process."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = Literal["ok", "broken", "busy", "silent"]


@dataclass(slots=True)
class MockEndpoint:
    """Answers after `service_s` with `Server-Timing`; beyond `capacity` in flight it rejects at once.

    `script` says what becomes of the n-th request. From request `stall_at` on nothing is answered for `stall_s`.
    Remembers the bodies, target variants and connections it got.
    """

    service_s: float = 0.01
    capacity: int = 1000
    script: Callable[[int], Answer] = lambda number: "ok"
    stall_at: int | None = None
    stall_s: float = 0.0
    stalled_until_s: float = 0.0
    bodies: list[bytes] = field(default_factory=list)
    variants: set[str | None] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)
    in_flight: int = 0

    async def invoke(self, request: Request) -> Response:
        assert request.client is not None
        self.ports.add(request.client.port)
        self.variants.add(request.headers.get("X-Amzn-SageMaker-Target-Variant"))
        if len(self.bodies) == self.stall_at:
            self.stalled_until_s = time.monotonic() + self.stall_s
        answer = self.script(len(self.bodies))
        self.bodies.append(await request.body())
        if answer == "broken":
            return JSONResponse({"error": "no variant 'fp8'; loaded: dense"}, 404)
        if answer == "busy":
            return JSONResponse({"error": "draining"}, 503, {"Retry-After": "1"})
        if self.in_flight >= self.capacity:
            return JSONResponse({"error": "overloaded"}, 429, {"Retry-After": "1"})
        return await self._serve(3600 if answer == "silent" else self.service_s)

    async def _serve(self, service_s: float) -> Response:
        self.in_flight += 1
        try:
            await asyncio.sleep(max(0.0, self.stalled_until_s - time.monotonic()) + service_s)
        finally:
            self.in_flight -= 1
        timing = f"queue;dur=0.5, tokenize;dur=0.25, infer;dur={service_s * 1e3}"
        return JSONResponse({"label": "positive"}, headers={"Server-Timing": timing})


@contextmanager
def served(endpoint: MockEndpoint) -> Iterator[str]:
    """Serve the endpoint on a free port of the loopback interface and hand out its URL."""
    app = Starlette(routes=[Route("/invocations", endpoint.invoke, methods=["POST"])])
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            # The socket listens already: a client that comes early waits in its backlog.
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
