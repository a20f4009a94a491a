"""One process, one route, a model. On one core a thread pool would only add switches between threads."""

from typing import Annotated

import uvicorn
from fastapi import Body, FastAPI

from benchmarks.peers.common.arguments import HOST, read_arguments
from benchmarks.peers.common.shared_model import Prediction, SharedModel


def main() -> None:
    arguments = read_arguments()
    model = SharedModel(arguments.variant)
    app = FastAPI()

    @app.post("/predict")
    async def predict(inputs: Annotated[str, Body(embed=True)]) -> list[Prediction]:
        return model([inputs])

    uvicorn.run(app, host=HOST, port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
