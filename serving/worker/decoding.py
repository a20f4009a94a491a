"""An engine's first step with a request: read it, tokenize it, or say why not."""

import logging
import time

from handlers.handler import Handler
from handlers.payloads.request import RawRequest
from model_store.errors import ParetoServeError
from serving.logs import place_of
from serving.wire.messages import Ask, Reply
from serving.worker.job import Job, error_reply

log = logging.getLogger("paretoserve.worker")


def decode(handler: Handler, job: Job, ask: Ask) -> Reply | None:
    """Prepare a job for the engine; of one that cannot be prepared, the reply."""
    started = time.monotonic()
    try:
        job.prepared = handler.prepare(
            RawRequest(ask.body, ask.content_type, ask.accept, ask.protocol, ask.json_length)
        )
    except ParetoServeError as exc:
        return error_reply(job, exc)
    except Exception as exc:  # noqa: BLE001  one request must not end the worker that others wait for
        log.error("a request could not be decoded: this is a bug", extra={"exception": place_of(exc)})  # noqa: TRY400
        return error_reply(job, ParetoServeError("Internal error on this body; the server's log has the details."))
    job.expires = min(job.expires, job.arrived + job.prepared.timeout_s)
    job.tokenize_s = time.monotonic() - started
    return None
