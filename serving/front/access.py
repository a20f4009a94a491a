"""Who is answered at all: whose `Host` names this server, and who has its key. Asked before a body is read."""

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_store.errors import ParetoServeError, Unauthorized, UnknownHost
from serving.front.settings import Settings

HEALTH = frozenset({"/ping", "/v2/health/live", "/v2/health/ready"})
"""What whoever watches over a server asks; it needs no key. `/metrics` does: it tells how much is asked of what."""

ALL_HOSTS = "*"
LEAST_KEY_LENGTH = 16

# Header values that are remembered. Clients of one server send few; that many ports of one name are nobody's.
_MOST_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Access:
    """The checks that every request passes first.

    hosts: names that `Host` may hold, in lower case and without a port; None allows all.
    key_digests: SHA-256 of each key, any of which will do; the keys themselves are not kept. Empty asks for none.
    """

    hosts: frozenset[str] | None = None
    key_digests: tuple[bytes, ...] = ()
    _seen: set[bytes] = field(default_factory=set, repr=False)

    def check(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> None:
        """Nothing where a request may be answered.

        Raises:
            UnknownHost: its `Host` is none of this server's.
            Unauthorized: it needs a key and brings none that is known.
        """
        # A request without Host comes from no browser.
        if self.hosts is not None and (host := headers.get(b"host")) is not None and host not in self._seen:
            self._learn(host, self.hosts, scope.get("server"))
        if self.key_digests and scope["path"] not in HEALTH and not self._has_key(headers):
            raise Unauthorized("This server wants its key; send it as Authorization: Bearer KEY, or as X-Api-Key.")

    def _learn(self, host: bytes, hosts: Collection[str], server: tuple[str, int] | None) -> None:
        name = host_name(host)
        # The address that the connection came in on is the server's, whatever it was told to listen on.
        if name not in hosts and not is_loopback(name) and name != (server[0] if server else None):
            raise UnknownHost("The Host of this request is not one of this server's; allow it with --allow-hosts.")
        if len(self._seen) < _MOST_REMEMBERED:
            self._seen.add(host)

    def _has_key(self, headers: Mapping[bytes, bytes]) -> bool:
        scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
        given = [headers.get(b"x-api-key", b""), bearer.strip() if scheme.lower() == b"bearer" else b""]
        digests = [hashlib.sha256(one).digest() for one in given]
        # All are compared, so that the time does not tell which one was it.
        return any([hmac.compare_digest(one, known) for one in digests for known in self.key_digests])  # noqa: C419


def access_of(settings: Settings) -> Access:
    """The checks that settings ask for; raises ParetoServeError where the file of keys cannot be used."""
    keys = read_keys(Path(settings.api_key_file)) if settings.api_key_file else ()
    digests = tuple(hashlib.sha256(key.encode()).digest() for key in keys)
    return Access(allowed_hosts(settings.host, settings.allow_hosts, socket.gethostname()), digests)


def allowed_hosts(bound: str, named: Iterable[str], machine: str) -> frozenset[str] | None:
    """The names by which a server may be asked, besides those of loopback; None for any.

    Bound to all addresses, as in a container, nobody knows what it is called outside: any, unless some are named.
    """
    names = {part.strip().lower() for one in named for part in one.split(",") if part.strip()}
    if ALL_HOSTS in names or (not names and bound in ("0.0.0.0", "::", "")):  # noqa: S104  it is compared
        return None
    return frozenset({host_name(name.encode()) for name in names} | {bound.lower(), machine.lower()})


def host_name(host: bytes) -> str:
    """The name or the address in a `Host` header: without port, brackets and the dot at the end."""
    text = host.decode("latin-1").strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    # An address of IPv6 without brackets, as people name one, has no port.
    return text if text.count(":") > 1 else text.partition(":")[0].removesuffix(".")


def is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def read_keys(file: Path) -> tuple[str, ...]:
    """The keys in a file, one a line, so that an old and a new one can be good at the same time.

    Raises:
        ParetoServeError: it cannot be read, is empty, or holds a key that is too short or that no header can carry.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is no text"
        raise ParetoServeError(f"The keys in {file.name!r} cannot be read ({reason}); see --api-key-file.") from exc
    keys = tuple(line for line in lines if line)
    if not keys:
        raise ParetoServeError(f"There is no key in {file.name!r}; --api-key-file wants one a line.")
    # Which one is not said: part of a key would stand in a log.
    if not all(len(key) >= LEAST_KEY_LENGTH and key.isascii() and key.isprintable() and " " not in key for key in keys):
        raise ParetoServeError(
            f"A key in {file.name!r} is too short or not plain; give {LEAST_KEY_LENGTH} or more ASCII characters "
            "without spaces, one key a line."
        )
    return keys
