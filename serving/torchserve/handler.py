"""What TorchServe's Python worker runs: the same engine as our own worker, on the batches that TorchServe makes.

An archive's `handler.py` imports `handle` from here, so the packages `handlers`, `model_store` and `serving` must be
importable in TorchServe's environment. A request may come from our bridge, in an envelope, or from any HTTP client,
which is then answered as at `/invocations`.
"""

import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from model_store.errors import ParetoServeError
from serving.cpu_plan import StreamSplit, usable_cores
from serving.front.http_errors import error_body, status_of
from serving.logs import configure_logs, place_of
from serving.torchserve.envelope import (
    ASK,
    CONFIG_FILE,
    INTRODUCE,
    BridgeReply,
    HandlerConfig,
    Introduction,
    decode_request,
    encode,
)
from serving.wire.black_box import BlackBox
from serving.wire.messages import Ask, BatchDone, Failed, Ready, Reply
from serving.worker.engine import Engine
from serving.worker.loading import Loaded
from serving.worker.start import load_variant

log = logging.getLogger("paretoserve.torchserve")


class Context(Protocol):
    """What TorchServe hands over beside the requests: their headers, and where to put those of the answers."""

    system_properties: dict[str, Any]

    def get_all_request_header(self, idx: int) -> dict[str, Any]: ...
    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None: ...
    def set_response_content_type(self, idx: int, value: str) -> None: ...
    def set_response_header(self, idx: int, key: str, value: str) -> None: ...


class Served:
    """Hosts the engine in TorchServe's one thread: what comes in a batch is queued, and run until nothing waits."""

    def __init__(self, config: HandlerConfig, loaded: Loaded, ready: Ready) -> None:
        self.ready, self.bridged = ready, config.black_box is not None
        self._delivered: list[Reply | BatchDone] = []
        self._engine = Engine(loaded, self._delivered.extend, _black_box(config), wake=lambda: None)

    def run(self, requests: Sequence[Ask]) -> list[BridgeReply]:
        """The replies to requests, in their order; one that cannot be answered does not harm the others."""
        self._delivered.clear()
        for request in requests:
            self._engine.ask(request)
        while self._engine.run_next():
            pass
        by_id = {message.id: message for message in self._delivered if isinstance(message, Reply)}
        replies = [BridgeReply(by_id[request.id]) for request in requests]
        replies[0].batches = [message for message in self._delivered if isinstance(message, BatchDone)]
        return replies


def _black_box(config: HandlerConfig) -> BlackBox:
    """The bridge's; without a bridge, one that nobody reads."""
    fd = os.open(config.black_box, os.O_RDWR) if config.black_box else BlackBox.make_file(config.slots)
    try:
        return BlackBox(fd, config.slots)
    finally:
        os.close(fd)


def load(archive: Path) -> "Served | Failed":
    """Load what the archive holds. Why that failed is kept for a bridge to ask; without a bridge it is raised.

    Raises:
        ParetoServeError: the variant cannot be loaded, and there is no bridge.
    """
    config = msgspec.json.decode((archive / CONFIG_FILE).read_bytes(), type=HandlerConfig)
    split = StreamSplit(1, config.threads or len(usable_cores()))
    folder = archive / config.variant_dir
    try:
        loaded, ready = load_variant(
            folder,
            config.backend,
            [split],
            config.batch_tokens,
            cores=config.cores,
            served_as=config.served_as,
            limits=config.limits,
        )
    except ParetoServeError as exc:
        if config.black_box is None:
            raise
        return Failed(type(exc).__name__, str(exc))
    return Served(config, loaded, ready)


_served: Served | Failed | None = None


def handle(data: Sequence[Mapping[str, Any]] | None, context: Context) -> list[bytes]:
    """TorchServe's entry point: called once without data, to load, then with the requests of a batch."""
    global _served
    if _served is None:
        _served = load(Path(context.system_properties["model_dir"]))
        # TorchServe's worker has a line for every batch, which Java has to read: now it has none.
        configure_logs("text", "warning")
    if not data:
        return []
    try:
        return _handle_all(_served, data, context)
    except Exception as exc:  # noqa: BLE001  as in a worker of ours: what met a bug must not look alive
        log.critical("the handler failed: this is a bug", extra={"exception": place_of(exc)})
        os._exit(70)


def _handle_all(served: Served | Failed, data: Sequence[Mapping[str, Any]], context: Context) -> list[bytes]:
    headers = [_lower(context.get_all_request_header(i)) for i in range(len(data))]
    # Only a bridge knows the envelope; from anybody else it is a content type like any other that we do not read.
    bridged = isinstance(served, Failed) or served.bridged
    kinds = [given.get("content-type", "") if bridged else "" for given in headers]
    introduced = [i for i, kind in enumerate(kinds) if kind == INTRODUCE]
    bodies = dict.fromkeys(introduced, encode(_introduction(served)))
    requests = {
        i: decode_request(_body(data[i])) if kinds[i] == ASK else _client_request(i, _body(data[i]), headers[i])
        for i in range(len(data))
        if i not in bodies
    }
    if requests:
        assert isinstance(served, Served), "this is a bug: nothing is asked of what was not loaded"
        for i, reply in zip(requests, served.run(list(requests.values())), strict=True):
            bodies[i] = encode(reply) if kinds[i] == ASK else _client_body(reply.reply, i, context)
    return [bodies[i] for i in range(len(data))]


def _introduction(served: Served | Failed) -> Introduction:
    return Introduction(os.getpid(), served if isinstance(served, Failed) else served.ready)


def _lower(headers: Mapping[str, Any]) -> dict[str, str]:
    # Parts of a form have headers of their own, as dicts under the names of the parts.
    return {name.lower(): value for name, value in headers.items() if isinstance(value, str)}


def _body(request: Mapping[str, Any]) -> bytes:
    return bytes(request.get("body") or b"")


def _client_request(number: int, body: bytes, headers: Mapping[str, str]) -> Ask:
    """The request of an HTTP client, as a bridge would send it."""
    content_type, accept = headers.get("content-type", ""), headers.get("accept", "")
    seen = {name: value for name, value in headers.items() if name.startswith("x-amzn-sagemaker-")}
    asked = Ask(number, body, content_type, accept, "invocations", None, math.inf, math.inf, sent=time.monotonic())
    asked.headers = {**seen, "content-type": content_type, "accept": accept}
    return asked


def _client_body(reply: Reply, i: int, context: Context) -> bytes:
    """A reply as an HTTP client reads it."""
    if reply.error:
        context.set_response_status(reply.status or status_of(reply.error), "", i)
        context.set_response_content_type(i, "application/json")
        return error_body(reply.message, reply.error)
    if reply.status:
        context.set_response_status(reply.status, "", i)
    for name, value in reply.headers:
        context.set_response_header(i, name, value)
    context.set_response_content_type(i, reply.content_type)
    if reply.truncated:
        context.set_response_header(i, "X-ParetoServe-Truncated", ",".join(map(str, reply.truncated)))
    return reply.body
