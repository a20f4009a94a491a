"""Models that come and go leave nothing behind: a server as its container starts it, loaded and unloaded many times."""

import os
from pathlib import Path

import httpx
import pytest

from paretoserve.hosts.process import served_by_process
from serving.front.model_memory import held_bytes
from tests.handlers.variants import write_code

ECHO = "def model_fn(model_dir):\n    return str\n\ndef predict_fn(data, model):\n    return data"
MODELS, TIMES = 20, 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_models_loaded_and_unloaded_ten_times_leave_the_memory_of_the_start(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "echo", ECHO)
    environment = os.environ | {"SAGEMAKER_MULTI_MODEL": "true", "PARETOSERVE_VARIANT": "/opt/ml/model"}
    with (
        served_by_process([], tmp_path / "log", environment=environment) as server,
        httpx.Client(base_url=server.url, timeout=300) as http,
    ):
        assert server.pid is not None
        start = held_bytes([server.pid])
        for _ in range(TIMES):
            for number in range(MODELS):
                told = {"model_name": f"m{number}", "url": str(folder)}
                http.post("/models", json=told).raise_for_status()
                http.post(f"/models/m{number}/invoke", json={"inputs": "x"}).raise_for_status()
            assert len(http.get("/models").json()["models"]) == MODELS
            for number in range(MODELS):
                http.delete(f"/models/m{number}").raise_for_status()
        end = held_bytes([server.pid])
    print(f"{start / 2**20:.1f} MiB at the start, {end / 2**20:.1f} at the end")  # noqa: T201  the figure
    assert end <= 1.05 * start
