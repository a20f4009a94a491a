"""One process of a worker: started with a socket and a black box, ended, and asked how it ended."""

import asyncio
import contextlib
import os
import signal
import socket

import msgspec

from serving import tuning
from serving.cpu_plan import CpuPlan
from serving.front.environment import worker_environment
from serving.front.settings import Settings, VariantSpec
from serving.wire.black_box import BlackBox
from serving.wire.messages import WorkerConfig, slots_of

# Through what a worker is started, and what it then is; for a backend that is a server of its own, a bridge to it.
LIFELINE = "serving.wire.lifeline"
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
        with contextlib.ExitStack() as theirs:
            black_box_fd = BlackBox.make_file(slots)
            theirs.callback(os.close, black_box_fd)
            ours, connection = socket.socketpair()
            theirs.callback(connection.close)
            try:
                process = await _spawn(spec, settings, plan, connection.fileno(), black_box_fd)
                return cls(process, BlackBox(black_box_fd, slots)), ours
            except BaseException:  # also where the variant is unloaded meanwhile
                ours.close()
                raise

    async def wait(self) -> None:
        """Until it has ended, whoever else holds its end of the socket open."""
        await self._process.wait()

    def kill(self, fault: str = "") -> None:
        """End it, and all that it started in its process group; of one that has ended, what it left."""
        self.fault = fault or self.fault
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Until it has ended, which it does by itself when its socket is closed, unless it is stuck in an engine."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _END_S)
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
        limits=settings.limits,
        keeps_calibration=settings.multi_model,
        install_requirements=settings.install_requirements,
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
        LIFELINE,
        str(connection_fd),
        msgspec.json.encode(config).decode(),
        BRIDGES.get(spec.backend, OWN_WORKER),
        pass_fds=[connection_fd, black_box_fd],
        env=worker_environment(os.environ, settings.pass_env) | variables,
        # Its process group is its own, and ends with it. Ctrl-C in a terminal is for the front, which then drains.
        start_new_session=True,
    )
