import gzip
import zlib

import pytest

from handlers.payloads.content_encoding import encoding_wanted, pack, unpack
from model_store.errors import BadInput, TooLarge, UnsupportedMediaType

BODY = b'{"inputs": "a film"}' * 50


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKED = {
    "gzip": gzip.compress(BODY),
    "X-GZip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    " Deflate ": raw_deflate(BODY),
    "identity": BODY,
    "": BODY,
}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_packed_body_is_unpacked(encoding: str) -> None:
    assert unpack(PACKED[encoding], encoding, len(BODY)) == BODY


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "gzip;q=1"])
def test_another_encoding_is_answered_with_those_that_are_read(encoding: str) -> None:
    with pytest.raises(
        UnsupportedMediaType, match=r"Content-Encoding '.*' is not supported; send one of gzip, deflate"
    ):
        unpack(BODY, encoding, 100)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
def test_no_more_is_unpacked_than_a_body_may_have(pack: "type[bytes]") -> None:
    encoding = "gzip" if pack is gzip.compress else "deflate"
    assert len(unpack(pack(b"x" * 1000), encoding, 1000)) == 1000
    with pytest.raises(TooLarge, match="over the limit of 999 bytes when unpacked"):
        unpack(pack(b"x" * 50_000_000), encoding, 999)


# Named, since a packed body has the time in it and processes that run tests must agree on their names.
BROKEN = {
    "nothing": b"",
    "not packed": b"{}",
    "cut at its end": gzip.compress(BODY)[:-1],
    "cut in the middle": gzip.compress(BODY)[:30],
    "two": gzip.compress(BODY) * 2,
    "a beginning": b"\x1f\x8b" * 9,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_not_one_whole_stream_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(BadInput, match=f"not one whole {encoding} stream"):
        unpack(body, encoding, 10_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_answer_that_was_packed_is_unpacked_by_the_standard(encoding: str) -> None:
    packed = pack(BODY, encoding)
    assert len(packed) < len(BODY)
    assert (gzip.decompress if encoding == "gzip" else zlib.decompress)(packed) == BODY


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("GZIP ;q=1", "gzip"),
        ("deflate", "deflate"),
        ("br, deflate;q=0.1", "deflate"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("*", "gzip"),
        ("gzip;q=0, *;q=0.5", "deflate"),
        ("*;q=0", ""),
        ("identity", ""),
        ("identity;q=0.5, gzip;q=0.4", ""),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("gzip;q=much", ""),
        ("gzip;q=nan", ""),
        (",,;=,", ""),
    ],
)
def test_a_client_says_how_it_likes_answers_packed(header: str, wanted: str) -> None:
    assert encoding_wanted(header) == wanted
