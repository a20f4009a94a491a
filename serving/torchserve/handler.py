"""What TorchServe's Python worker runs: the same handler as our own worker, on the batches that TorchServe makes.

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

from handlers.inferred import manifest_of
from model_store.errors import ParetoServeError
from serving.cpu_plan import Split, usable_cores
from serving.front.http_errors import error_body, status_of
from serving.logs import configure_logs, place_of
from serving.torchserve.envelope import (
    ASK,
    CONFIG_FILE,
    INTRODUCE,
    HandlerConfig,
    Introduction,
    Question,
    Told,
    decode_question,
    encode,
)
from serving.wire.black_box import BlackBox
from serving.wire.messages import Ask, BatchDone, Failed, Ready, Reply, ToFront
from serving.worker.decoding import decode
from serving.worker.facts import facts_of
from serving.worker.loading import Loaded, load_fastest
from serving.worker.streams import Job, Streams

log = logging.getLogger("paretoserve.torchserve")

# The slot of the black box for calls of the engine. The last one is for decoding.
STREAM = 0


class Context(Protocol):
    """What TorchServe hands over beside the requests: their headers, and where to put those of the answers."""

    system_properties: dict[str, Any]

    def get_all_request_header(self, idx: int) -> dict[str, Any]: ...
    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None: ...
    def set_response_content_type(self, idx: int, value: str) -> None: ...
    def set_response_header(self, idx: int, key: str, value: str) -> None: ...


class Served:
    """A variant that was loaded. Called from TorchServe's one thread."""

    def __init__(self, config: HandlerConfig, folder: Path, loaded: Loaded, load_s: float) -> None:
        loaded.handler.served_as = config.served_as
        self._handler = loaded.handler
        self.bridged = config.black_box is not None
        self._black_box, self._decoding = _black_box(config), config.slots - 1
        self._outbox: list[ToFront] = []
        self._streams = Streams(self._handler, 0, loaded.call_tokens, self._outbox.extend, self._black_box, loaded.cost)
        facts = facts_of(folder, config.backend, loaded, {})
        self.ready = Ready(facts, load_s, loaded.cost, loaded.call_tokens, loaded.split.streams)

    def answer(self, questions: Sequence[Question]) -> list[Told]:
        """Answer questions together, in their order; one that cannot be answered does not harm the others."""
        self._outbox.clear()
        for question in questions:
            self._put(question)
        while self._streams.run_next(STREAM):
            pass
        replies = {message.id: message for message in self._outbox if isinstance(message, Reply)}
        told = [Told(replies[question.ask.id]) for question in questions]
        told[0].batches = [message for message in self._outbox if isinstance(message, BatchDone)]
        return told

    def _put(self, question: Question) -> None:
        ask = question.ask
        job = Job(ask.id, ask.queue_by, ask.expires, question.arrived, ask.alone)
        self._black_box.board(self._decoding, [job.id], time.monotonic())
        reply = decode(self._handler, job, ask)
        self._black_box.land(self._decoding)
        if reply is None:
            self._streams.put(job)
        else:
            self._outbox.append(reply)


def _black_box(config: HandlerConfig) -> BlackBox:
    """The bridge's; without a bridge, one that nobody reads."""
    fd = os.open(config.black_box, os.O_RDWR) if config.black_box else BlackBox.make_file(config.slots)
    try:
        return BlackBox(fd, config.slots)
    finally:
        os.close(fd)


def load(archive: Path) -> "Served | Failed":
    """Load what the archive holds. A bridge is told why that failed; nobody else asks, so it is raised.

    Raises:
        ParetoServeError: the variant cannot be loaded, and no bridge is there to be told.
    """
    config = msgspec.json.decode((archive / CONFIG_FILE).read_bytes(), type=HandlerConfig)
    folder = archive / config.variant_dir
    split = Split(1, config.threads or len(usable_cores()))
    started = time.monotonic()
    try:
        loaded, _ = load_fastest(folder, manifest_of(folder), config.backend, [split], config.batch_tokens)
    except ParetoServeError as exc:
        if config.black_box is None:
            raise
        return Failed(type(exc).__name__, str(exc))
    return Served(config, folder, loaded, time.monotonic() - started)


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
        return _answer_all(_served, data, context)
    except Exception as exc:  # noqa: BLE001  as in a worker of ours: what met a bug must not look alive
        log.critical("the handler failed: this is a bug", extra={"exception": place_of(exc)})
        os._exit(70)


def _answer_all(served: Served | Failed, data: Sequence[Mapping[str, Any]], context: Context) -> list[bytes]:
    headers = [_lower(context.get_all_request_header(i)) for i in range(len(data))]
    # Only a bridge knows the envelope; from anybody else it is a content type like any other that we do not read.
    bridged = isinstance(served, Failed) or served.bridged
    kinds = [given.get("content-type", "") if bridged else "" for given in headers]
    introduced = [i for i, kind in enumerate(kinds) if kind == INTRODUCE]
    answers = dict.fromkeys(introduced, encode(_introduction(served)))
    asked = {
        i: decode_question(_body(data[i])) if kinds[i] == ASK else _question(i, _body(data[i]), headers[i])
        for i in range(len(data))
        if i not in answers
    }
    if asked:
        assert isinstance(served, Served), "this is a bug: nothing is asked of what was not loaded"
        for i, told in zip(asked, served.answer(list(asked.values())), strict=True):
            answers[i] = encode(told) if kinds[i] == ASK else _plain(told.reply, i, context)
    return [answers[i] for i in range(len(data))]


def _introduction(served: Served | Failed) -> Introduction:
    return Introduction(os.getpid(), served if isinstance(served, Failed) else served.ready)


def _lower(headers: Mapping[str, Any]) -> dict[str, str]:
    # Parts of a form have headers of their own, as dicts under the names of the parts.
    return {name.lower(): value for name, value in headers.items() if isinstance(value, str)}


def _body(request: Mapping[str, Any]) -> bytes:
    return bytes(request.get("body") or b"")


def _question(number: int, body: bytes, headers: Mapping[str, str]) -> Question:
    """The question of an HTTP client."""
    content_type, accept = headers.get("content-type", ""), headers.get("accept", "")
    ask = Ask(number, body, content_type, accept, "invocations", None, math.inf, math.inf)
    return Question(ask, time.monotonic())


def _plain(reply: Reply, i: int, context: Context) -> bytes:
    """A reply as an HTTP client reads it."""
    if reply.error:
        context.set_response_status(status_of(reply.error), "", i)
        context.set_response_content_type(i, "application/json")
        return error_body(reply.message, reply.error)
    context.set_response_content_type(i, reply.content_type)
    if reply.truncated:
        context.set_response_header(i, "X-ParetoServe-Truncated", ",".join(map(str, reply.truncated)))
    return reply.body
