"""One worker, one API server, its fast queue, and no waiting for further requests: a batch is what has queued up."""

from pathlib import Path
from typing import Any

import litserve

from benchmarks.peers.common.arguments import HOST, read_arguments
from benchmarks.peers.common.shared_model import Prediction, SharedModel


class Classifier(litserve.LitAPI):
    def __init__(self, variant: Path, max_batch: int) -> None:
        super().__init__(max_batch_size=max_batch, batch_timeout=0.0)
        self._variant = variant
        self._batches = max_batch > 1

    def setup(self, device: Any) -> None:
        self._model = SharedModel(self._variant)

    def decode_request(self, request: dict[str, str]) -> str:
        return request["inputs"]

    def batch(self, inputs: list[str]) -> list[str]:
        return inputs

    def predict(self, x: Any) -> list[Prediction] | Prediction:
        return self._model(x) if self._batches else self._model([x])[0]

    def unbatch(self, output: list[Prediction]) -> list[Prediction]:
        return output

    def encode_response(self, output: Prediction) -> list[Prediction]:
        return [output]


def main() -> None:
    arguments = read_arguments()
    server = litserve.LitServer(
        Classifier(arguments.variant, arguments.max_batch),
        accelerator="cpu",
        workers_per_device=1,
        fast_queue=True,
    )
    server.run(
        host=HOST,
        port=arguments.port,
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
