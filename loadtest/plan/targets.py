"""Interfaces of servers that a campaign can load, each a path and a way to put our bodies.

Ours are `{"inputs": INPUT}` or `{"inputs": [INPUT, …]}`, where an input is a text, or `{"text": …, "text_pair": …}`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from loadtest.results.errors import LoadTestError

FORMS = "invocations, v2:NAME, sagemaker:ENDPOINT, or predictions:NAME with an optional :FIELD"

_ENDPOINT = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, what becomes of a body on the way, and whether it is SageMaker's, which wants signatures."""

    path: str
    translate: Callable[[bytes], bytes]
    is_sagemaker: bool = False

    def bodies(self, bodies: Sequence[bytes]) -> tuple[bytes, ...]:
        """Ours as this interface takes them; raises LoadTestError where one is not ours."""
        return tuple(map(self.translate, bodies))


def parse_target(text: str) -> Target:
    """Read `invocations`, `v2:NAME`, `sagemaker:ENDPOINT` or `predictions:NAME[:FIELD]`.

    `v2` is the Open Inference Protocol, with inputs named `text` and `text_pair`, of BYTES. `predictions` is the path
    of TorchServe, whose handlers each read a JSON object of their own: the inputs are put into its FIELD, `inputs`
    where none is named. Raises LoadTestError for anything else.
    """
    match text.split(":"):
        case ["invocations"]:
            return Target("/invocations", lambda body: body)
        case ["v2", name] if name:
            return Target(f"/v2/models/{name}/infer", v2_body)
        case ["sagemaker", name] if _ENDPOINT.fullmatch(name):
            return Target(f"/endpoints/{name}/invocations", lambda body: body, is_sagemaker=True)
        case ["predictions", name] if name:
            return Target(f"/predictions/{name}", predictions_body)
        case ["predictions", name, key] if name and key:
            return Target(f"/predictions/{name}", partial(predictions_body, key=key))
    raise LoadTestError(f"'{text}' is no interface; give {FORMS}.")


def v2_body(body: bytes) -> bytes:
    """The request of the Open Inference Protocol for the same inputs."""
    inputs = _inputs(body)
    texts = [_texts(one) for one in (inputs if isinstance(inputs, list) else [inputs])]
    if len({len(one) for one in texts}) != 1:
        raise LoadTestError("A request mixes texts and pairs, or has none; a V2 request has one kind of input.")
    columns = zip(("text", "text_pair"), zip(*texts, strict=True), strict=False)
    tensors = [{"name": name, "datatype": "BYTES", "shape": [len(data)], "data": data} for name, data in columns]
    return msgspec.json.encode({"inputs": tensors})


def predictions_body(body: bytes, key: str = "inputs") -> bytes:
    """The same inputs under another name."""
    return msgspec.json.encode({key: _inputs(body)})


def _inputs(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])["inputs"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as exc:
        raise LoadTestError('A request body is no {"inputs": …}; other bodies go to /invocations as they are.') from exc


def _texts(value: Any) -> tuple[str, ...]:
    match value:
        case str():
            return (value,)
        case {"text": str(text), "text_pair": str(pair)} | [str(text), str(pair)]:
            return text, pair
        case {"text": str(text)}:
            return (text,)
    raise LoadTestError(f"An input is {value!r}; it must be a text or a pair of texts.")
