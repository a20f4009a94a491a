"""Where the time of a request in its worker went."""

import msgspec


class Timings(msgspec.Struct, array_like=True):
    """Seconds by phase, from when the front sent the request (`began`) until `until`: one after the other, with no gap.

    tokenize: decoding, and making tokens. queue: waiting, first for a thread that decodes and then for the engine.
    batch: taken by a stream, until the engine begins. infer: calls of the engine. encode: writing the answer, until it
    is on its way to the front.

    Of a request that took several calls each second is counted once: what was waited for, call by call.
    """

    began: float = 0.0
    until: float = 0.0
    tokenize_s: float = 0.0
    queue_s: float = 0.0
    batch_s: float = 0.0
    infer_s: float = 0.0
    encode_s: float = 0.0

    @property
    def worker_s(self) -> float:
        return self.until - self.began

    def waited(self, until: float) -> None:
        """For a thread that decodes, or in vain for the engine."""
        self.queue_s += until - self.until
        self.until = until

    def tokenized(self, until: float) -> None:
        self.tokenize_s += until - self.until
        self.until = until

    def called(self, taken: float, begun: float, ended: float) -> None:
        """A call with texts of the request has ended. What an earlier one has covered of it is counted already."""
        taken = max(taken, self.until)
        begun = max(begun, taken)
        ended = max(ended, begun)
        self.queue_s += taken - self.until
        self.batch_s += begun - taken
        self.infer_s += ended - begun
        self.until = ended

    def encoded(self, until: float) -> None:
        """The reply was handed on; the next host on its way to the front says so once more."""
        self.encode_s += until - self.until
        self.until = until
