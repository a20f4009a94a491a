"""The emulator beside a server: a process of its own, started once the server listens and ended before it drains."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import msgspec

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.emulator.description import Endpoint
from paretoserve.sagemaker.emulator.process import told
from paretoserve.sagemaker.emulator.storage import s3_client
from serving.front.server import listen
from serving.front.settings import Settings

log = logging.getLogger("paretoserve.sagemaker")

STOP_S = 5.0


class Emulator:
    """Use it in a `with`, and it does not outlive the block, nor the process. It listens from the beginning.

    Raises:
        ParetoServeError: the port is taken, the server wants a key, or S3 is needed and cannot be asked.
    """

    def __init__(self, endpoint: Endpoint, settings: Settings, port: int) -> None:
        if settings.api_key_file is not None:
            raise ParetoServeError("The SageMaker emulator has no key for its server; leave out --api-key-file.")
        if endpoint.async_output:
            s3_client()  # what is missing is said now
        self._endpoint, self._settings = endpoint, settings
        try:
            self._listener = listen(replace(settings, port=port))
        except ParetoServeError as exc:
            raise ParetoServeError(f"The SageMaker emulator needs another --sagemaker-port. {exc}") from exc
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopping = False

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def start(self, server_url: str) -> None:
        """Answer for the endpoint from now on, with what the server at this address answers."""
        number = self._listener.fileno()
        config = msgspec.json.encode(told(self._endpoint, server_url, self._settings)).decode()
        # So started, it ends when this process dies, however that dies. A Ctrl-C reaches this process alone.
        command = ["serving.wire.lifeline", str(number), config, "paretoserve.sagemaker.emulator.process"]
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter, no shell
            [sys.executable, "-m", *command], stdin=subprocess.DEVNULL, pass_fds=(number,), start_new_session=True
        )
        threading.Thread(target=self._watch, args=(self._process,), daemon=True).start()

    async def drain(self) -> None:
        """Have it take no more invocations, and answer those that it took."""
        self._is_stopping = True
        if self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait)

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_stopping = True
        self._listener.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        """Nobody should ask a server for long whose emulator is gone."""
        code = process.wait()
        if not self._is_stopping:
            log.error("the SageMaker emulator ended with exit code %d, so the server stops", code)
            os.kill(os.getpid(), signal.SIGTERM)
