"""What a hostile or broken client puts on a connection, and what the server owes it for that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from benchmarks.hostile.bodies import Body, any_body, plain_body

METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW", "get")

PATHS = (
    "/ping",
    "/ping/",
    "/metrics",
    "/variants",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/{name}",
    "/v2/models/{name}/ready",
    "/v2/models/%00",
    "/v2/models/..%2f..%2fetc",
    "/openapi.json",
    "//evil.example/ping",
    "/",
    "*",
    "/" + "a" * 3000,
    "/ping?" + "b=c&" * 200,
    "http://evil.example/ping",
)

ODD_HEADERS = (
    ("x-request-timeout-ms", "0"),
    ("x-request-timeout-ms", "-5"),
    ("x-request-timeout-ms", "9" * 40),
    ("accept", "text/html"),
    ("accept", "application/json;q=x, */*;q=0"),
    ("accept", ";,;" * 50),
    ("x-amzn-sagemaker-target-variant", "AllTraffic"),
    ("x-amzn-sagemaker-target-variant", "\xe9\xff"),
    ("inference-header-content-length", "1_0"),
    ("x-request-id", "x" * 2000),
    ("x-request-id", "a\tb"),
    ("traceparent", "00-" + "0" * 32 + "-" + "f" * 16 + "-zz"),
    ("expect", "100-continue"),
    ("expect", "something"),
    ("connection", "upgrade"),
    ("upgrade", "h2c"),
    ("content-length", "5"),
    ("transfer-encoding", "gzip"),
    ("host", "evil.example"),
    ("range", "bytes=0-"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """Bytes for one connection, in `pieces` with `pause_s` between them.

    `answers` is how many answers are owed; with `may_close` the server may close instead, since what it was sent is no
    HTTP or never ends. With `has_deadline` the answer may be that its own deadline has passed. A client that `leaves`
    reads nothing. `reuses`: one more request of a connection that is open.
    """

    kind: str
    pieces: tuple[bytes, ...]
    answers: int = 1
    may_close: bool = False
    leaves: bool = False
    reuses: bool = False
    has_deadline: bool = False
    pause_s: float = 0.0


def any_case(dice: Random, names: Mapping[str, str]) -> Case:
    """A case of any kind; `names` fill what paths leave open: `name`, a variant's."""
    (kind,) = dice.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])
    return _KINDS[kind][1](dice, names, kind)


def request(method: str, path: str, headers: Mapping[str, str], content: bytes = b"") -> bytes:
    """A request with its length."""
    sent = {"host": "127.0.0.1", "content-length": str(len(content))} | dict(headers)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + content


def _post(body: Body, names: Mapping[str, str], **headers: str) -> bytes:
    return request("POST", body.path.format(**names), body.headers | headers, body.content)


def _body(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    return Case(kind, (_post(any_body(dice), names),), reuses=True)


def _header(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    headers = dict(dice.choices(ODD_HEADERS, k=dice.randint(1, 4)))
    # With a length that is not the body's what follows is no request.
    whole = headers.keys().isdisjoint({"content-length", "transfer-encoding", "upgrade"})
    sent = _post(plain_body(dice), names, **headers)
    return Case(kind, (sent,), may_close=not whole, has_deadline="x-request-timeout-ms" in headers)


def _route(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    path = dice.choice(PATHS).format(**names)
    return Case(kind, (request(dice.choice(METHODS), path, {}),), may_close=True)


def _pipelined(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    count = dice.randint(2, 6)
    return Case(kind, (b"".join(_post(plain_body(dice), names) for _ in range(count)),), answers=count)


def _chunked(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    body = plain_body(dice) if dice.random() < 0.5 else any_body(dice)
    head = request("POST", body.path.format(**names), {**body.headers, "transfer-encoding": "chunked"})
    chunks, at = [head.replace(b"content-length: 0\r\n", b"")], 0
    while at < len(body.content):
        part = body.content[at : at + dice.randint(1, max(400, len(body.content) // 50))]
        extension = dice.choice((b"", b"", b";a=b", b";" + b"x" * 300))
        chunks.append(b"%x%b\r\n%b\r\n" % (len(part), extension, part))
        at += len(part)
    whole = dice.random() < 0.7
    if not whole:
        chunks.append(dice.choice((b"-1\r\n", b"zz\r\n", b"f" * 17 + b"\r\n", b"5\r\nab\r\n", b"\x00")))
    chunks.append(b"0\r\n" + dice.choice((b"", b"x-trailer: 1\r\n")) + b"\r\n")
    return Case(kind, tuple(chunks), may_close=not whole)


def _truncated(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    whole = _post(any_body(dice), names)
    return Case(kind, (whole[: dice.randrange(len(whole))],), answers=0, may_close=True, leaves=True)


def _leaves(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    return Case(kind, (_post(plain_body(dice), names),), answers=0, may_close=True, leaves=True)


def _oversized(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    path = "/invocations"
    match dice.randrange(4):
        case 0:
            return Case(
                kind, (request("POST", path, {"content-length": str(10 ** dice.randint(8, 40))}),), may_close=True
            )
        case 1:
            return Case(
                kind, (request("POST", path, {"x-large": "a" * dice.choice((9000, 70_000, 300_000))}),), may_close=True
            )
        case 2:
            many = {f"x-{number}": "1" for number in range(dice.choice((90, 500, 5000)))}
            return Case(kind, (request("POST", path, many, b"{}"),), may_close=True)
        case _:
            return Case(kind, (request("GET", "/" + "a" * dice.choice((9000, 70_000)), {}),), may_close=True)


def _no_http(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    plain = _post(plain_body(dice), names)
    sent = dice.choice(
        (
            dice.randbytes(dice.randint(1, 300)),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(200),
            b"GET /ping\r\n\r\n",
            b"\r\n" * 50,
            plain.replace(b"HTTP/1.1", b"HTTP/" + dice.choice((b"9.9", b"1.0", b"", b"1.1 "))),
            plain.replace(b"\r\n", b"\n"),
            plain.replace(b": ", b" : ", 1),
            plain.replace(b"content-type", b"content type\x00"),
            plain.replace(b"host", b"transfer-encoding: chunked\r\nhost", 1),
            plain.replace(b"content-length: ", b"content-length: +"),
            plain.replace(b"content-length: ", b"content-length: 1\r\ncontent-length: "),
        )
    )
    return Case(kind, (sent,), answers=0, may_close=True)


def _in_pieces(dice: Random, names: Mapping[str, str], kind: str) -> Case:
    whole = _post(plain_body(dice), names)
    cuts = sorted(dice.sample(range(1, len(whole)), dice.randint(2, 8)))
    pieces = tuple(whole[start:stop] for start, stop in zip((0, *cuts), (*cuts, len(whole)), strict=True))
    return Case(kind, pieces, pause_s=dice.choice((0.0, 0.002, 0.02)))


Make = Callable[[Random, Mapping[str, str], str], Case]

_KINDS: dict[str, tuple[int, Make]] = {
    "body": (60, _body),
    "header": (8, _header),
    "route": (5, _route),
    "pipelined": (4, _pipelined),
    "chunked": (6, _chunked),
    "truncated": (4, _truncated),
    "client leaves": (4, _leaves),
    "oversized": (2, _oversized),
    "no HTTP": (4, _no_http),
    "in pieces": (3, _in_pieces),
}
"""Of each kind: how many of a hundred, and how one is made."""
