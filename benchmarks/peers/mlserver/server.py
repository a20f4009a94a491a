"""The model in the server's own process (`parallel_workers` would put queues and pickling between them)."""

import asyncio

import uvloop
from mlserver import MLServer, ModelSettings, Settings
from mlserver.settings import ModelParameters

from benchmarks.peers.common.arguments import HOST, Arguments, free_port, read_arguments
from benchmarks.peers.mlserver.runtime import Classifier

BATCH_WAIT_S = 0.001
"""MLServer batches only where it may wait for further requests; this is the shortest wait that makes batches."""


async def serve(arguments: Arguments) -> None:
    settings = Settings(
        debug=False,
        parallel_workers=0,
        host=HOST,
        http_port=arguments.port,
        grpc_port=free_port(),
        metrics_endpoint=None,
        gzip_enabled=False,
        load_models_at_startup=False,
    )
    batches = arguments.max_batch > 1
    model = ModelSettings(
        name="sst2",
        implementation=Classifier,
        parameters=ModelParameters(uri=str(arguments.variant)),
        max_batch_size=arguments.max_batch if batches else 0,
        max_batch_time=BATCH_WAIT_S if batches else 0.0,
    )
    await MLServer(settings).start([model])


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(serve(read_arguments()))
