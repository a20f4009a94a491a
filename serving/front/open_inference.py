"""What the Open Inference Protocol tells of the server and of its models; `serving.front.inference` asks them.

https://github.com/kserve/open-inference-protocol, and Triton's model configuration extension.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.payloads.v2 import VERSION
from model_store.errors import UnknownVersion
from serving.front.repository import Repository
from serving.front.variant import ServedVariant

JSON = "application/json"

EXTENSIONS = ("binary_tensor_data", "model_configuration")

MODEL = "/v2/models/{name}"
# A model may be asked by its name alone, or by its name and its version.
MODELS = (MODEL, MODEL + "/versions/{version}")


class Descriptions:
    """The routes that describe, over a repository of variants; each variant is a model of one version."""

    def __init__(self, repository: Repository, is_ready: Callable[[], bool]) -> None:
        self._repository, self._is_ready = repository, is_ready

    def routes(self) -> list[Route]:
        of_models = [
            Route(model + path, endpoint)
            for model in MODELS
            for path, endpoint in (("", self.metadata), ("/ready", self.ready), ("/config", self.configuration))
        ]
        return [
            Route("/v2", self.server),
            Route("/v2/", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.server_ready),
            *of_models,
        ]

    async def live(self, request: Request) -> Response:
        return _json({"live": True})

    async def server_ready(self, request: Request) -> Response:
        """The protocol calls it `live` here, too, and clients look for `ready`."""
        ready = self._is_ready()
        return _json({"live": True, "ready": ready}, 200 if ready else 503)

    async def server(self, request: Request) -> Response:
        return _json({"name": "paretoserve", "version": version("paretoserve"), "extensions": EXTENSIONS})

    async def ready(self, request: Request) -> Response:
        variant = self._asked(request)
        return _json({"name": variant.name, "ready": variant.ready}, 200 if variant.ready else 503)

    async def metadata(self, request: Request) -> Response:
        """The tensors, also while the variant loads; NotReady until its worker has read what it is."""
        variant = self._asked(request)
        about = {"name": variant.name, "versions": [VERSION], "platform": _platform(variant)}
        return _json(about | variant.tensors())

    async def configuration(self, request: Request) -> Response:
        variant = self._asked(request)
        tensors = variant.tensors()
        return _json(
            {
                "name": variant.name,
                "platform": _platform(variant),
                "backend": variant.backend,
                "version_policy": {"specific": {"versions": [int(VERSION)]}},
                # That the first dimension is one of a batch is for the client to say, in its shapes.
                "max_batch_size": 0,
                "input": [_configured(one) for one in tensors["inputs"]],
                "output": [_configured(one) for one in tensors["outputs"]],
            }
        )

    def _asked(self, request: Request) -> ServedVariant:
        """Raises UnknownVariant, UnknownVersion."""
        variant = self._repository.find(request.path_params["name"])
        check_version(variant, request.path_params.get("version", VERSION))
        return variant


def check_version(variant: ServedVariant, asked: str) -> None:
    """Raises UnknownVersion."""
    if asked != VERSION:
        raise UnknownVersion(variant.name, asked, (VERSION,))


def _platform(variant: ServedVariant) -> str:
    return f"paretoserve_{variant.backend}"


def _configured(tensor: dict[str, Any]) -> dict[str, Any]:
    kind = "STRING" if tensor["datatype"] == "BYTES" else tensor["datatype"]
    described = {"name": tensor["name"], "data_type": f"TYPE_{kind}", "dims": tensor["shape"]}
    return described | ({"optional": True} if tensor.get("parameters", {}).get("optional") else {})


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)
