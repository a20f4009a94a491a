"""What is told of each call of an engine, or of a variant's own code."""

import logging
from time import monotonic

from model_store.errors import BackendError, ParetoServeError
from serving.logs import place_of
from serving.wire.messages import BatchDone

log = logging.getLogger("paretoserve.worker")


def batch_done(requests: int, tokens: int, padding_tokens: int, times: tuple[float, float, float]) -> BatchDone:
    """A call whose answers are written just now; `times` are when its requests were taken, it began, and it ended."""
    taken, begun, ended = times
    done = monotonic()
    return BatchDone(requests, tokens, padding_tokens, ended - begun, done - taken, begun - taken, done - ended)


def log_failure(error: ParetoServeError) -> None:
    if isinstance(error, BackendError):
        log.error("the engine, or the variant's own code, failed", extra={"exception": place_of(error)})
