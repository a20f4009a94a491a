"""Asks as Triton's users do, and tells what came of it. Run in an environment that has `tritonclient[http]`."""

import json
import sys
from typing import Any

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

MODEL = "dense"
TEXTS = ("a good film", "bad")


def text_input(name: str, texts: tuple[str, ...], *, binary: bool, shape: list[int] | None = None) -> InferInput:
    shape = shape or [len(texts)]
    tensor = InferInput(name, shape, "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in texts], object).reshape(shape), binary_data=binary)
    return tensor


def answer_of(result: Any) -> dict[str, Any]:
    """The outputs, as arrays tell them: texts are bytes where they came in binary form."""
    head = result.get_response()
    arrays = {one["name"]: result.as_numpy(one["name"]) for one in head["outputs"]}
    values = {name: [_plain(value) for value in array.ravel()] for name, array in arrays.items()}
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    told = {key: head[key] for key in ("id", "model_name", "model_version") if key in head}
    return told | {"outputs": values, "shapes": shapes}


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else float(value)


def refusal(call: Any) -> dict[str, str]:
    try:
        call()
    except InferenceServerException as exc:
        return {"status": exc.status(), "message": exc.message()}
    return {"status": "none", "message": ""}


def told(client: InferenceServerClient) -> dict[str, Any]:
    """What the server says of itself and of its models."""
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(MODEL),
        "version_ready": client.is_model_ready(MODEL, "1"),
        "other_version_ready": client.is_model_ready(MODEL, "2"),
        "other_model_ready": client.is_model_ready("no-such-model"),
        "server": client.get_server_metadata(),
        "metadata": client.get_model_metadata(MODEL),
        "config": client.get_model_config(MODEL, "1"),
    }


def answers(client: InferenceServerClient) -> dict[str, Any]:
    binary, as_json = text_input("text", TEXTS, binary=True), text_input("text", TEXTS, binary=False)
    column = text_input("text", TEXTS, binary=True, shape=[2, 1])
    pairs = text_input("text_pair", TEXTS, binary=False)
    plain = [InferRequestedOutput("score", binary_data=False), InferRequestedOutput("label", binary_data=False)]
    mixed = [InferRequestedOutput("logits", binary_data=True), InferRequestedOutput("label", binary_data=False)]
    many = [text_input("text", TEXTS * 100, binary=True)]
    asked: dict[str, dict[str, Any]] = {
        "binary": {"inputs": [binary], "request_id": "42"},
        "json": {"inputs": [as_json], "outputs": plain},
        "mixed": {"inputs": [binary, pairs], "outputs": mixed},
        "column": {"inputs": [column], "model_version": "1"},
        "gzip": {"inputs": many, "request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"},
        "deflate": {
            "inputs": many,
            "outputs": mixed,
            "request_compression_algorithm": "deflate",
            "response_compression_algorithm": "deflate",
        },
        "parameters": {"inputs": [binary], "timeout": 60_000_000, "priority": 1, "parameters": {"own": "value"}},
    }
    return {name: answer_of(client.infer(MODEL, **arguments)) for name, arguments in asked.items()}


def refusals(client: InferenceServerClient) -> dict[str, Any]:
    good = text_input("text", TEXTS, binary=True)
    other = text_input("sentence", TEXTS, binary=True)
    top = [InferRequestedOutput("logits", class_count=2)]
    return {
        "model": refusal(lambda: client.infer("no-such-model", [good])),
        "version": refusal(lambda: client.infer(MODEL, [good], model_version="2")),
        "input": refusal(lambda: client.infer(MODEL, [other])),
        "classification": refusal(lambda: client.infer(MODEL, [good], outputs=top)),
        "metadata": refusal(lambda: client.get_model_metadata("no-such-model")),
    }


def own_model(client: InferenceServerClient) -> dict[str, Any]:
    """A user's own code, asked with tokens."""
    ids = np.array([[1, 2, 3], [4, 5, 6]], np.int64)
    found = {}
    for binary in (True, False):
        tensor = InferInput("input_ids", list(ids.shape), "INT64")
        tensor.set_data_from_numpy(ids, binary_data=binary)
        found["binary" if binary else "json"] = answer_of(client.infer("tokens", [tensor]))
    return found


def main() -> None:
    with InferenceServerClient(sys.argv[1].removeprefix("http://")) as client:
        found = {"told": told(client), "answers": answers(client), "refusals": refusals(client)}
        found["own"] = own_model(client)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
