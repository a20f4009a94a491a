"""Asks as users of KServe's client do, and tells what came of it. Run in an environment that has `kserve`."""

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferOutput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

TEXTS = ("a good film", "bad")


def text_input(*, binary: bool, texts: tuple[str, ...] = TEXTS) -> InferInput:
    tensor = InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array(texts, object), binary_data=binary)
    return tensor


def tokens(*, binary: bool) -> InferInput:
    ids = np.array([[1, 2, 3], [4, 5, 6]], np.int64)
    tensor = InferInput("input_ids", list(ids.shape), "INT64")
    tensor.set_data_from_numpy(ids, binary_data=binary)
    return tensor


def plain(output: InferOutput) -> list[Any]:
    values = output.as_numpy().ravel().tolist()
    return [value.decode() if isinstance(value, bytes) else value for value in values]


async def answer_of(client: InferenceRESTClient, url: str, model: str, request: Any) -> dict[str, Any]:
    answer = await client.infer(url, request, model_name=model)
    outputs = {one.name: plain(one) for one in answer.outputs}
    return {"id": answer.id, "model": answer.model_name, "outputs": outputs}


async def refusal(client: InferenceRESTClient, url: str, model: str) -> dict[str, Any]:
    try:
        await client.infer(url, InferRequest(model, [text_input(binary=True)]), model_name=model)
    except httpx.HTTPStatusError as exc:
        return {"status": exc.response.status_code, "message": str(exc)}
    return {"status": 200, "message": ""}


async def told(client: InferenceRESTClient, url: str) -> dict[str, Any]:
    wanted = [RequestedOutput("label", {"binary_data": False}), RequestedOutput("logits", {"binary_data": True})]
    requests = {
        "json": ("dense", InferRequest("dense", [text_input(binary=False)], request_id="42")),
        "binary": ("dense", InferRequest("dense", [text_input(binary=True)], parameters={"binary_data_output": True})),
        "mixed": ("dense", InferRequest("dense", [text_input(binary=True)], request_outputs=wanted)),
        "many": ("dense", InferRequest("dense", [text_input(binary=False, texts=TEXTS * 100)])),
        "tokens as json": ("tokens", InferRequest("tokens", [tokens(binary=False)])),
        "tokens": ("tokens", InferRequest("tokens", [tokens(binary=True)])),
    }
    return {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model_ready": await client.is_model_ready(url, "dense"),
        "other_model_ready": await client.is_model_ready(url, "no-such-model"),
        "answers": {name: await answer_of(client, url, *asked) for name, asked in requests.items()},
        "refusals": {model: await refusal(client, url, model) for model in ("no-such-model", "tokens")},
    }


async def main() -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    found = await told(client, sys.argv[1])
    await client.close()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
