"""The header `Server-Timing` (W3C Server Timing) of answers: where their time went, in milliseconds."""

from serving.wire.timings import Timings

# By the names in the header, in their order there. Those of the worker come one after the other and add up to `worker`.
MEANINGS = {
    "tokenize": "decoding the body and making tokens",
    "queue": "waiting for a thread that decodes, and for the engine",
    "batch": "taken for a call of the engine, until that begins",
    "infer": "calls of the engine",
    "encode": "writing the answer, until it leaves the worker",
    "worker": "all of these",
    "total": "from the last byte of the request to the head of the answer",
}

_FORMAT = ", ".join(f"{name};dur=%.3f" for name in MEANINGS).encode()


def server_timing(timings: Timings, total_s: float) -> bytes:
    """The value of the header, where the front took `total_s` for the answer, its worker included."""
    return _FORMAT % (
        timings.tokenize_s * 1e3,
        timings.queue_s * 1e3,
        timings.batch_s * 1e3,
        timings.infer_s * 1e3,
        timings.encode_s * 1e3,
        timings.worker_s * 1e3,
        total_s * 1e3,
    )
