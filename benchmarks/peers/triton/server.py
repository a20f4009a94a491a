"""Triton's default of no queue delay: a batch is what has queued up while the model was busy."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.common.arguments import HOST, Arguments, read_arguments
from benchmarks.peers.common.shared_model import SharedModel


def serve(arguments: Arguments) -> None:
    model = SharedModel(arguments.variant)

    @batch
    def classify(text: NDArray[np.bytes_]) -> dict[str, NDArray[np.generic]]:
        predictions = model([one.decode() for one in text[:, 0]])
        labels = np.array([[p["label"].encode()] for p in predictions])
        return {"label": labels, "score": np.array([[p["score"]] for p in predictions], np.float32)}

    config = TritonConfig(
        http_address=HOST,
        http_port=arguments.port,
        http_thread_count=1,
        allow_grpc=False,
        allow_metrics=False,
        exit_timeout_secs=5,
    )
    with Triton(config=config, workspace=Path.cwd() / "workspace") as server:
        server.bind(
            model_name="sst2",
            infer_func=classify,
            inputs=[Tensor(name="text", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="label", dtype=bytes, shape=(1,)), Tensor(name="score", dtype=np.float32, shape=(1,))],
            config=ModelConfig(max_batch_size=arguments.max_batch, batcher=DynamicBatcher()),
            strict=False,
        )
        server.serve()


if __name__ == "__main__":
    serve(read_arguments())
