"""The front as a process: build the variants, listen, and drain when told to stop."""

import asyncio
import gc
import logging
import os
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from model_store.errors import ParetoServeError
from serving.cgroup import machine_memory_bytes, memory_limit_bytes
from serving.cpu_plan import CpuPlan, make_plan, usable_cores
from serving.front import asgi
from serving.front.app import Front, make_app
from serving.front.http_door import RESERVE, Door, make_answers
from serving.front.http_protocol import BoundedProtocol
from serving.front.metrics import Metrics
from serving.front.model_memory import ModelMemory
from serving.front.models import Models
from serving.front.replica import MakeReplica
from serving.front.repository import Repository, Resolve
from serving.front.settings import Settings, VariantSpec
from serving.front.tracing import spans_where_asked
from serving.front.variant import ServedVariant
from serving.front.worker_replica import worker_processes
from serving.logs import configure_logs
from serving.memory_plan import MemoryPlan, make_memory_plan

log = logging.getLogger("paretoserve")

# Turns of uvicorn's main loop, of 0.1 s, between two looks at what connections wait for; and the most time that is
# taken to have passed: a front that stood still does not blame its clients.
AGE_TURNS, MAX_AGE_S = 5, 1.0

# Descriptors besides those of connections: files, workers, the log.
OTHER_DESCRIPTORS = 256

# Connections that may wait to be accepted.
BACKLOG = 2048


class DrainingServer(uvicorn.Server):
    """On SIGTERM or SIGINT: refuse new requests, answer the admitted ones, then stop. A second signal stops at once.

    `drain` refuses new requests, and returns once the admitted ones are answered; it is waited for so long at most.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]], drain_timeout_s: float) -> None:
        super().__init__(config)
        self._drain_all, self._drain_timeout_s = drain, drain_timeout_s
        self._draining: asyncio.Task[None] | None = None
        self._aged_at = time.monotonic()

    async def on_tick(self, counter: int) -> bool:
        if counter % AGE_TURNS == 0:
            now = time.monotonic()
            seconds, self._aged_at = min(now - self._aged_at, MAX_AGE_S), now
            for connection in cast("list[BoundedProtocol]", list(self.server_state.connections)):
                connection.age(seconds)
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._draining is None:
            loop = asyncio.get_running_loop()
            self._draining = loop.create_task(self._drain())
        else:
            super().handle_exit(sig, frame)

    async def _drain(self) -> None:
        log.info("draining")
        try:
            await asyncio.wait_for(self._drain_all(), self._drain_timeout_s)
        except TimeoutError:
            log.warning("some requests were not answered within %.0f s", self._drain_timeout_s)
        self.should_exit = True


def listen(settings: Settings) -> socket.socket:
    """Listen before anything is loaded, so that a port in use is an error at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # Clients that know the address may connect from now on, and are answered as soon as the front runs.
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise ParetoServeError(
            f"Cannot listen on {settings.host}:{settings.port} ({exc.strerror}); choose another with --host and --port."
        ) from exc
    return listener


def no_sources(source: str) -> VariantSpec:
    """The resolver of a server that loads nothing after its start."""
    raise ParetoServeError(f"This server loads no variants while it runs, so {source!r} cannot be loaded.")


def serve(
    specs: Sequence[VariantSpec],
    settings: Settings,
    on_listening: Callable[[str, Mapping[str, str]], None],
    *,
    resolve: Resolve = no_sources,
    hosts: Callable[[Settings, CpuPlan], MakeReplica] = worker_processes,
    before_drain: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until told to stop. `on_listening` is called with the URL, and with what the container's cores and memory
    are used for by the name of the plan, once the socket listens.

    `resolve` reads what is loaded later, of which each worker gets the cores that a worker gets at the start. `hosts`
    says where engines run. `before_drain` ends what asks this server, before it drains. The log of the process goes
    where `settings` say.

    Raises:
        ParetoServeError: the address cannot be had, two variants have one name, or there is no OpenTelemetry to send
            the traces that the environment asks for.
    """
    if len({spec.name for spec in specs}) < len(specs):
        raise ParetoServeError("Two variants have the same name; serve each variant once per backend.")
    metrics = Metrics()
    workers = max(1, len(specs)) * settings.workers
    plan = make_plan(usable_cores(), workers, settings.streams, settings.threads_per_stream)
    memory = make_memory_plan(memory_limit_bytes(), machine_memory_bytes(), workers)
    settings = _with_memory(settings, memory)
    plans = {"CPU plan": str(plan), "Memory plan": str(memory)}
    allow_connections(settings.max_connections)
    repository = make_repository(settings, plan, metrics, resolve, hosts)
    for spec in specs:
        repository.add(spec)
    with listen(settings) as listener:
        configure_logs(settings.log_format, settings.log_level)
        with spans_where_asked() as spans:
            models = make_models(repository, metrics, plan, memory) if settings.multi_model else None
            front = Front(repository, settings, metrics, spans, models)
            on_listening(_url(listener), plans)
            _settle()
            _server(front, before_drain).run(sockets=[listener])


def _server(front: Front, before_drain: Callable[[], Awaitable[None]] | None) -> DrainingServer:
    config = uvicorn_config(make_app(front), _door(front))
    return DrainingServer(config, partial(_drain, front, before_drain), front.settings.drain_timeout_s)


async def _drain(front: Front, before: Callable[[], Awaitable[None]] | None) -> None:
    if before is not None:
        await before()
    await front.repository.drain()


def _with_memory(settings: Settings, memory: MemoryPlan) -> Settings:
    """Settings in which the plan stands where the operator has left it to us."""
    in_flight = settings.max_bytes_in_flight
    if in_flight is None:
        in_flight = max(memory.bodies_mib << 20, settings.max_body_bytes)
    elif in_flight < settings.max_body_bytes:
        raise ParetoServeError(
            f"--max-bytes-in-flight {in_flight} leaves no room for a body of --max-body {settings.max_body_bytes}; "
            "raise the first or lower the second."
        )
    limit_mib = memory.worker_mib if settings.memory_limit_mib is None else settings.memory_limit_mib
    return replace(settings, max_bytes_in_flight=in_flight, memory_limit_mib=limit_mib)


def allow_connections(connections: int) -> None:
    """Each takes a descriptor, of which a process may have as many as the shell or the container says."""
    wanted = connections + RESERVE + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ParetoServeError(
            f"--max-connections {connections} needs {wanted} open files, of which {hard} are allowed here; "
            f"allow more (ulimit -n), or lower it."
        )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def make_repository(
    settings: Settings,
    plan: CpuPlan,
    metrics: Metrics,
    resolve: Resolve = no_sources,
    hosts: Callable[[Settings, CpuPlan], MakeReplica] = worker_processes,
) -> Repository:
    """A repository without variants, which are served as `settings` say, by replicas as `hosts` makes them."""
    make_replica = hosts(settings, plan)

    def make(spec: VariantSpec) -> ServedVariant:
        return ServedVariant(spec, settings, str(plan), metrics.of(spec.name, spec.backend), make_replica)

    return Repository(make, resolve, metrics)


def make_models(repository: Repository, metrics: Metrics, plan: CpuPlan, memory: MemoryPlan) -> Models:
    """The models of a multi-model endpoint. A load takes about a core, of which half are left to those that answer."""
    return Models(repository, metrics, ModelMemory(memory.workers_mib << 20), max(1, len(plan.cores) // 2))


def _settle() -> None:
    """Take as little of the core as can be, where the engine needs the same one."""
    # What is loaded stays; looking through it for garbage would only fill the caches with it.
    gc.collect()
    gc.freeze()
    # A front does not break into an engine's call for every request that comes: it waits for the end of the worker's
    # slice of time, some milliseconds, and reads all that came meanwhile. Workers do not inherit this.
    os.sched_setscheduler(0, os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _door(front: Front) -> Door:
    settings = front.settings
    return Door(settings, make_answers(settings), front.refuse_early, front.request_log.record_malformed)


def uvicorn_config(app: asgi.App, door: Door) -> uvicorn.Config:
    """Of an application whose connections have the bounds of `door`."""
    return uvicorn.Config(
        cast("Callable[..., Any]", app),
        http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, door)),
        loop="uvloop",
        ws="none",
        log_config=None,
        access_log=False,
        backlog=BACKLOG,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
    )
