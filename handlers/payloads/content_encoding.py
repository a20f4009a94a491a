"""Bodies that a client has packed, as `Content-Encoding` says, and never more of them than a request may be; and the
answers that it wants packed, as `Accept-Encoding` says."""

import zlib

from model_store.errors import BadInput, TooLarge, UnsupportedMediaType

# What zlib calls the ways that a body may begin: `deflate` is one thing by the standard and another with some clients.
_GZIP, _ZLIB, _RAW = 31, 15, -15
_WAYS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}

# How answers are packed, the best first. The fastest level: numbers grow hardly smaller by the others.
_PACKINGS = {"gzip": _GZIP, "deflate": _ZLIB}
_LEVEL = 1


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


def encoding_wanted(accept_encoding: str) -> str:
    """The way of packing answers that this header likes best; empty where it likes none as well as none at all."""
    weights = dict(_weight(part) for part in accept_encoding.lower().split(",") if part.strip())
    others = weights.get("*", 0.0)
    best = max(_PACKINGS, key=lambda name: weights.get(name, others))
    weight = weights.get(best, others)
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else ""


def _weight(part: str) -> tuple[str, float]:
    name, _, parameter = part.partition(";")
    key, _, value = parameter.partition("=")
    try:
        return name.strip(), float(value) if key.strip() == "q" else 1.0
    except ValueError:
        return name.strip(), 0.0


def pack(body: bytes, encoding: str) -> bytes:
    """The body as `gzip` or `deflate`, the latter as the standard has it."""
    packer = zlib.compressobj(_LEVEL, wbits=_PACKINGS[encoding])
    return packer.compress(body) + packer.flush()
