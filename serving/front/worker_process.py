"""One process of a worker: started with a socket and a black box, ended, and asked how it ended."""

import asyncio
import contextlib
import os
import signal
import socket

import msgspec

from handlers.payloads.request import Limits
from serving import tuning
from serving.cpu_plan import CpuPlan
from serving.front.settings import Settings, VariantSpec
from serving.wire.black_box import BlackBox
from serving.wire.messages import WorkerConfig, slots_of

# What is run as a worker; for a backend that is a server of its own, a bridge to it.
OWN_WORKER, BRIDGES = "serving.worker.process", {"torchserve": "serving.torchserve.bridge"}

# How long a worker may take to end by itself once its socket is closed.
_END_S = 2.0


class WorkerProcess:
    """A process that runs, or ran. `fault` is why it had to be ended; empty where it was not."""

    def __init__(self, process: asyncio.subprocess.Process, black_box: BlackBox) -> None:
        self._process, self.black_box = process, black_box
        self.pid = process.pid
        self.fault = ""

    @classmethod
    async def start(cls, spec: VariantSpec, settings: Settings, plan: CpuPlan) -> "tuple[WorkerProcess, socket.socket]":
        """Start one, and our end of its socket.

        Raises:
            OSError: its interpreter cannot be run.
        """
        slots = slots_of(plan.splits)
        black_box_fd = BlackBox.make_file(slots)
        ours, theirs = socket.socketpair()
        try:
            process = await _spawn(spec, settings, plan, theirs.fileno(), black_box_fd)
            return cls(process, BlackBox(black_box_fd, slots)), ours
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(black_box_fd)

    def kill(self, fault: str = "") -> None:
        self.fault = fault or self.fault
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    async def end(self) -> None:
        """Until it has ended, which it does by itself when its socket is closed, unless it is stuck in an engine."""
        try:
            await asyncio.wait_for(self._process.wait(), _END_S)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    @property
    def how_it_ended(self) -> str:
        if self.fault:
            return f"was ended ({self.fault})"
        code = self._process.returncode
        if code is not None and code < 0:
            return f"ended (by signal {signal.Signals(-code).name})"
        return f"ended (with exit code {code})"


async def _spawn(
    spec: VariantSpec, settings: Settings, plan: CpuPlan, connection_fd: int, black_box_fd: int
) -> asyncio.subprocess.Process:
    config = WorkerConfig(
        name=spec.name,
        model_dir=str(spec.folder),
        backend=spec.backend,
        splits=plan.splits,
        cores=plan.known_cores,
        batch_tokens=settings.batch_tokens,
        black_box_fd=black_box_fd,
        beat_s=tuning.BEAT_S,
        limits=Limits(settings.max_inputs, settings.max_body_bytes),
        log_format=settings.log_format,
        log_level=settings.log_level,
    )
    # The engines are told how many threads to use; whatever else is loaded must not take more either.
    threads = str(max(split.threads_per_stream for split in plan.splits))
    variables = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
    return await asyncio.create_subprocess_exec(
        spec.python,
        "-P",  # a folder named like one of our packages, where the server was started, must not be imported
        "-m",
        BRIDGES.get(spec.backend, OWN_WORKER),
        str(connection_fd),
        msgspec.json.encode(config).decode(),
        pass_fds=[connection_fd, black_box_fd],
        env={**os.environ, **variables},
        # Ctrl-C in a terminal is for the front, which then drains its workers.
        start_new_session=True,
    )
