"""One replica on a Ray of one CPU, without dashboard, usage statistics or access log."""

import signal
from pathlib import Path

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.peers.common.arguments import HOST, Arguments, read_arguments
from benchmarks.peers.common.shared_model import Prediction, SharedModel

BATCH_WAIT_S = 0.0
MAX_ONGOING = 256


class OneByOne:
    def __init__(self, variant: Path) -> None:
        self._model = SharedModel(variant)

    async def __call__(self, request: Request) -> list[Prediction]:
        return self._model([(await request.json())["inputs"]])


def batched(max_batch: int) -> type:
    class Batched:
        def __init__(self, variant: Path) -> None:
            self._model = SharedModel(variant)

        @serve.batch(max_batch_size=max_batch, batch_wait_timeout_s=BATCH_WAIT_S)
        async def _classify(self, texts: list[str]) -> list[list[Prediction]]:
            return [[prediction] for prediction in self._model(texts)]

        async def __call__(self, request: Request) -> list[Prediction]:
            predictions: list[Prediction] = await self._classify((await request.json())["inputs"])
            return predictions

    return Batched


def start(arguments: Arguments) -> None:
    ray.init(
        num_cpus=1,
        include_dashboard=False,
        _temp_dir=str(Path.cwd() / "ray"),
        log_to_driver=False,
    )
    quiet = {"enable_access_log": False, "log_level": "WARNING"}
    serve.start(http_options={"host": HOST, "port": arguments.port}, logging_config=quiet)
    model = batched(arguments.max_batch) if arguments.max_batch > 1 else OneByOne
    deployment = serve.deployment(
        model, name="sst2", max_ongoing_requests=MAX_ONGOING, ray_actor_options={"num_cpus": 1}, logging_config=quiet
    )
    serve.run(deployment.bind(arguments.variant), route_prefix="/predict", logging_config=quiet)


if __name__ == "__main__":
    start(read_arguments())
    signal.pause()
