"""Why requests are refused: every reason, as metrics and logs name it."""

from enum import StrEnum

from model_store.errors import ParetoServeError


class Refusal(StrEnum):
    """A request that was refused was given to no engine. One whose worker ended was not refused: it failed."""

    QUEUE_FULL = "queue full"
    QUEUE_DEADLINE = "queue deadline"
    BYTES_IN_FLIGHT = "bytes in flight"
    NOT_READY = "not ready"
    DRAINING = "draining"
    QUARANTINED = "quarantined"


class Refused(Exception):
    """A request is refused: why, and the error that its client is answered with."""

    def __init__(self, reason: Refusal, error: ParetoServeError) -> None:
        self.reason, self.error = reason, error
        super().__init__(str(error))
