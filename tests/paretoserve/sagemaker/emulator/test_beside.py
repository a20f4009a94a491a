import asyncio
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.emulator.beside import Emulator
from serving.front.server import listen
from serving.front.settings import Settings
from tests.handlers.variants import write_code
from tests.paretoserve.sagemaker.emulator.emulated import (
    Asked,
    Handler,
    endpoint,
    scripted,
    wait_for_service,
)
from tests.serving.front_server import ROOT, until

ONE = endpoint(["blue"])
INVOCATIONS = "/endpoints/local/invocations"


def test_its_end_waits_for_what_it_took_and_refuses_what_comes_after() -> None:
    release = threading.Event()

    def answer(asked: Asked, handler: Handler) -> None:
        release.wait()
        handler.reply(200, asked.body)

    with scripted(answer) as container, Emulator(ONE, Settings(), 0) as emulator, ThreadPoolExecutor() as threads:
        emulator.start(container.url)
        wait_for_service(emulator.url)
        with httpx.Client(base_url=emulator.url, timeout=60) as kept:
            waiting = threads.submit(httpx.post, f"{emulator.url}{INVOCATIONS}", content=b"held", timeout=60)
            until(lambda: container.asked)
            ending = threads.submit(asyncio.run, emulator.drain())
            until(lambda: kept.get("/ping").status_code == 503)
            refused = kept.post(INVOCATIONS, content=b"late")
            release.set()
            assert (refused.status_code, refused.headers["x-amzn-errortype"]) == (503, "ServiceUnavailable")
        assert (waiting.result().status_code, waiting.result().content) == (200, b"held")
        ending.result()


def test_what_cannot_be_is_said_at_the_start(tmp_path: Path) -> None:
    with listen(Settings(port=0)) as taken, pytest.raises(ParetoServeError, match="--sagemaker-port"):
        Emulator(ONE, Settings(), taken.getsockname()[1])
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-some-length\n")
    with pytest.raises(ParetoServeError, match="leave out --api-key-file"):
        Emulator(ONE, Settings(api_key_file=keys), 0)


def test_serve_starts_it_and_ends_with_it(tmp_path: Path) -> None:
    folder = write_code(
        tmp_path / "blue", "def model_fn(folder): pass\n\ndef predict_fn(data, model): return data['inputs']\n"
    )
    command = [sys.executable, "-m", "paretoserve", "serve", str(folder), "--port", "0", "--emulate-sagemaker"]
    process = subprocess.Popen(
        [*command, "--sagemaker-port", "0", "--endpoint-name", "mine"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        with process.stdout as told:
            url = next(line.split()[-1] for line in told if line.startswith("SageMaker endpoint mine on "))
            wait_for_service(url)
            answer = httpx.post(
                f"{url}/endpoints/mine/invocations",
                content=b'{"inputs": "x"}',
                headers={"content-type": "application/json"},
                timeout=60,
            )
            assert (answer.json(), answer.headers["x-amzn-invoked-production-variant"]) == ("x", "blue")
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{url}/ping")
    finally:
        process.kill()
        process.wait()
