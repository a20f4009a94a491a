"""What the bridge and the handler inside TorchServe send each other: msgpack bodies, which TorchServe passes through.

The handler lives in an archive of TorchServe's, with a file that says how it is to serve.
"""

import msgspec

from handlers.payloads.request import Limits
from serving.wire.messages import Ask, BatchDone, Failed, Ready, Reply

# Content types of the bridge's requests; what comes with another one is a client's own.
ASK = "application/x-paretoserve-ask"
INTRODUCE = "application/x-paretoserve-introduce"

CONFIG_FILE = "paretoserve.json"


class HandlerConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the handler serves what its archive holds.

    `variant_dir` is relative to the archive, or absolute. Without `threads` the engine gets as many as it may
    use cores. A bridge names a `black_box` (a path, of so many `slots`) to note in what is being decoded and run.
    """

    backend: str
    variant_dir: str = "."
    threads: int | None = None
    cores: tuple[int, ...] = ()
    batch_tokens: int = 256
    served_as: str | None = None
    black_box: str | None = None
    slots: int = 2
    limits: Limits = Limits()


class BridgeReply(msgspec.Struct, array_like=True):
    """The handler's reply. The first of those to one batch of TorchServe's also has the calls of the engine."""

    reply: Reply
    batches: list[BatchDone] = []


class Introduction(msgspec.Struct, array_like=True):
    """The process in which the handler runs, and what came of loading the variant."""

    pid: int
    outcome: Ready | Failed


def encode(message: Ask | BridgeReply | Introduction) -> bytes:
    return _encoder.encode(message)


_encoder = msgspec.msgpack.Encoder()
decode_request = msgspec.msgpack.Decoder(Ask).decode
decode_reply = msgspec.msgpack.Decoder(BridgeReply).decode
decode_introduction = msgspec.msgpack.Decoder(Introduction).decode
