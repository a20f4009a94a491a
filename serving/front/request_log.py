"""The log of requests: all of them at debug, at info those that the server failed, and refusals in sum."""

import asyncio
import logging
from collections import Counter

from serving.front.exchange import Exchange
from serving.logs import place_of

log = logging.getLogger("paretoserve.requests")

# Refusals of a variant are logged in sum, at most this often.
SUM_UP_S = 1.0


class RequestLog:
    """Records every inference request; called on the event loop."""

    def __init__(self) -> None:
        self._refusals: dict[str, Counter[str]] = {}
        self._malformed = 0

    @property
    def has_refused(self) -> bool:
        """Whether a request was refused within the last second."""
        return bool(self._refusals)

    def record(self, exchange: Exchange) -> None:
        level = _level(exchange.status)
        if exchange.refusal and exchange.status in (429, 503):
            # They come as fast as clients ask, and a line for each would keep the front from those that it serves.
            self._count_refusal(exchange.variant, exchange.refusal)
            level = logging.DEBUG
        if log.isEnabledFor(level):
            log.log(level, "POST %s answered %d", exchange.route, exchange.status, extra=_fields(exchange))

    def _count_refusal(self, variant: str, reason: str) -> None:
        if variant not in self._refusals:
            self._refusals[variant] = Counter()
            asyncio.get_running_loop().call_later(SUM_UP_S, self._sum_up, variant)
        self._refusals[variant][reason] += 1

    def _sum_up(self, variant: str) -> None:
        if reasons := self._refusals.pop(variant, None):
            refused = reasons.total()
            fields = {"variant": variant, "refused": refused, "reasons": dict(reasons)}
            log.warning("refused %d requests in the last second", refused, extra=fields)

    def record_malformed(self) -> None:
        """Of a request that is not HTTP nothing is known but that it came."""
        if not self._malformed:
            asyncio.get_running_loop().call_later(SUM_UP_S, self._sum_up_malformed)
        self._malformed += 1

    def _sum_up_malformed(self) -> None:
        if self._malformed:
            log.warning("%d requests in the last second were not HTTP", self._malformed)
        self._malformed = 0

    def close(self) -> None:
        """Log what no line has counted yet."""
        for variant in list(self._refusals):
            self._sum_up(variant)
        self._sum_up_malformed()


def _level(status: int) -> int:
    """A bug is an error; that a worker died, or a deadline passed, belongs to a server's life."""
    if status == 500:
        return logging.ERROR
    return logging.INFO if status > 500 else logging.DEBUG


def _fields(exchange: Exchange) -> dict[str, object]:
    timings = exchange.timings
    fields: dict[str, object] = {
        "request_id": exchange.identity.request_id.decode(),
        "trace_id": exchange.identity.trace_id,
        "variant": exchange.variant,
        "backend": exchange.backend,
        "status": exchange.status,
        "error": exchange.error,
        "duration_s": round(exchange.duration_s, 6),
        "queue_s": round(timings.queue_s, 6),
        "tokenize_s": round(timings.tokenize_s, 6),
        "batch_s": round(timings.batch_s, 6),
        "infer_s": round(timings.infer_s, 6),
        "encode_s": round(timings.encode_s, 6),
        "tokens": exchange.tokens,
        "exception": place_of(exchange.fault) if exchange.fault else "",
    }
    return {name: value for name, value in fields.items() if value != ""}
