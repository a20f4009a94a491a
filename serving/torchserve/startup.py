"""A bridge's first step: TorchServe started, its handler asked what it loaded, its processes watched."""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import NoReturn

import psutil

from serving.torchserve.client import Connection, Response, ask_once, connect, post
from serving.torchserve.envelope import INTRODUCE, HandlerConfig, Introduction, decode_introduction
from serving.torchserve.process import MODEL, TorchServe, find_java, start, until_ready
from serving.wire.messages import WorkerConfig, slots_of

log = logging.getLogger("paretoserve.torchserve")

# What TorchServe calls the variant's backend: the engine is PyTorch.
ENGINE = "torch"

TARGET = f"/predictions/{MODEL}"

# The exit status of a bridge that lost its TorchServe.
LOST = 70


def start_torchserve(config: WorkerConfig) -> TorchServe:
    """TorchServe, started with the settings that the bridge was given; it is not ready yet.

    Raises:
        BackendError: it cannot be started.
    """
    return start(find_java(), _handler_config(config))


def _handler_config(config: WorkerConfig) -> HandlerConfig:
    # TorchServe's worker makes one call of the engine at a time, with all threads.
    threads = max(split.streams * split.threads_per_stream for split in config.splits)
    return HandlerConfig(
        backend=ENGINE,
        variant_dir=config.model_dir,
        threads=threads,
        cores=config.cores,
        batch_tokens=config.batch_tokens,
        served_as=config.name,
        black_box=f"/proc/{os.getpid()}/fd/{config.black_box_fd}",
        slots=slots_of(config.splits),
        limits=config.limits,
    )


async def introduced(torchserve: TorchServe) -> Introduction:
    """What came of loading the variant, once TorchServe is ready.

    Raises:
        BackendError: it does not get ready.
    """
    await until_ready(torchserve)
    response = await ask_once(torchserve.inference, post(TARGET, INTRODUCE))
    if response is None or response.status != 200:
        lose("it did not introduce its handler")
    return decode_introduction(response.body)


def watch(torchserve: TorchServe, worker_pid: int) -> list[psutil.Process]:
    """Java and the Python worker; when one of them ends, so does the bridge."""
    loop = asyncio.get_running_loop()
    pids = {"Java": torchserve.java.pid, "Python worker": worker_pid}
    for name, pid in pids.items():
        loop.add_reader(os.pidfd_open(pid), lose, f"its {name} ended")
    return [psutil.Process(pid) for pid in pids.values()]


async def connections(
    torchserve: TorchServe, count: int, on_response: Callable[[Connection, Response | None], None]
) -> list[Connection]:
    return [await connect(torchserve.inference, on_response) for _ in range(count)]


def lose(why: str) -> NoReturn:
    """End at once: what is left of TorchServe is ended by its janitor, and the supervisor starts all of it anew."""
    log.error("TorchServe is lost: %s", why)
    os._exit(LOST)
