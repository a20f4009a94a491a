"""Bodies that a client has packed, as `Content-Encoding` says, and never more of them than a request may be."""

import zlib

from model_store.errors import BadInput, TooLarge, UnsupportedMediaType

# What zlib calls the ways that a body may begin: `deflate` is one thing by the standard and another with some clients.
_GZIP, _ZLIB, _RAW = 31, 15, -15
_WAYS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}


def unpack(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body itself, of a body that came by this `Content-Encoding`; an empty one and `identity` change nothing.

    Raises:
        UnsupportedMediaType: it is packed in another way.
        TooLarge: it has more than `max_bytes` when it is unpacked.
        BadInput: it is not what the header says.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _WAYS:
        raise UnsupportedMediaType(encoding, ("gzip", "deflate", "identity"), "Content-Encoding")
    for way in _WAYS[name]:
        unpacker = zlib.decompressobj(way)
        try:
            unpacked = unpacker.decompress(body, max_bytes + 1)
        except zlib.error:
            continue
        if len(unpacked) > max_bytes:
            raise TooLarge(f"The body is over the limit of {max_bytes} bytes when unpacked; send less in one request.")
        # Further parts after the first would be unpacked one by one, and there is room for very many.
        if unpacker.eof and not unpacker.unused_data:
            return unpacked
    raise BadInput(f"The body is not one whole {name} stream; pack it again, or send it as it is.")
