"""What a running campaign tells its caller, one JSON document per line."""

import msgspec

from loadtest.results.levels import LevelResult


class LevelStarted(msgspec.Struct, frozen=True, tag="level_started"):
    """A level begins; nothing is measured yet."""

    index: int
    """Place in the order of visit, from 0."""
    users: int
    """0 in the open loop."""
    planned: int | None
    """How many levels there are at most; None while a search is on."""
    rate_per_s: float | None = None
    """Of the open loop."""


class LevelTicked(msgspec.Struct, frozen=True, tag="level_ticked"):
    """The level so far, about twice a second."""

    index: int
    users: int
    elapsed_s: float
    max_dwell_s: float
    attempts: int
    ok_per_s: float
    unserved_share: float
    p95_ms: float | None = None
    """Of the ok answers; None while they are too few."""
    rate_per_s: float | None = None
    """Of the open loop, where `users` is 0."""


class LevelDone(msgspec.Struct, frozen=True, tag="level_done"):
    """The visit is over and its requests are written; the result is of all visits to this level so far."""

    index: int
    result: LevelResult


CampaignEvent = LevelStarted | LevelTicked | LevelDone

_DECODER: msgspec.json.Decoder[CampaignEvent] = msgspec.json.Decoder(CampaignEvent)


def encode_event(event: CampaignEvent) -> bytes:
    """One line, newline included."""
    return msgspec.json.encode(event) + b"\n"


def decode_event(line: bytes) -> CampaignEvent:
    """The event that `encode_event` wrote."""
    return _DECODER.decode(line)
