"""What a campaign is: where to send, how many users, how long."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from loadtest.results.errors import LoadTestError
from loadtest.results.slo import Slo


@dataclass(frozen=True, slots=True)
class Campaign:
    """One candidate loaded through all its levels by closed-loop users who think between requests.

    A user sends, waits for the answer, thinks for an exponentially distributed time and sends again. A rejected user
    thinks as usual, with or without `Retry-After`: retrying at once would turn the threshold into a property of the
    retry loop.

    `bodies` is a JSON Lines file; each line is sent unchanged, in a seeded order that all candidates share.
    A level ends when it is steady (see `loadtest.statistics.steadiness`) or after `max_dwell_s`. Raises LoadTestError
    on settings that cannot be run.
    """

    url: str
    bodies: Path
    path: str = "/invocations"
    headers: dict[str, str] = field(default_factory=dict)
    levels: tuple[int, ...] | Literal["auto"] = "auto"
    exact_levels: bool = False
    """Visit the levels that are given and no others; without it they are where the search for the threshold begins."""
    first_users: int = 1
    """Where `auto` begins."""
    max_users: int = 256
    """Where the search stops doubling."""
    precision: float = 0.04
    """The search ends when half of the threshold's interval is no more than this part of it."""
    max_visits: int = 20
    """The search ends after so many visits to levels, whatever is known by then."""
    max_search_s: float | None = None
    """No visit of a search begins later than so many seconds after its first."""
    think_time_s: float = 0.1
    """Mean pause of a user between an answer and the next request."""
    timeout_s: float = 10.0
    """Longest wait for a connection, and for each read of an answer."""
    ramp_s: float = 2.0
    """How long it takes to go from one level to the next, whatever the step."""
    settle_s: float = 2.0
    """Discarded at the start of a level; never less than three mean think times."""
    min_dwell_s: float = 6.0
    max_dwell_s: float = 30.0
    min_attempts: int = 200
    stop_share: float = 0.5
    """No further level is visited once more than this share of attempts goes unserved."""
    reject_threshold: float = 0.01
    """The share of unserved attempts that counts as throttling."""
    slo: Slo | None = None
    """Answers that it calls late are counted."""
    arrivals: Literal["poisson", "constant"] = "poisson"
    """Of the open loop."""
    max_connections: int = 2000
    """Of the open loop."""
    most_lag_s: float = 1.0
    """Of the open loop: a request that cannot be sent so soon after it was due is not sent, and its level not used."""
    sagemaker_region: str | None = None
    """Where it is given, requests are signed for SageMaker in this region, and answers read as SageMaker means them."""
    workers: int = 0
    """Processes started here that the users are spread over; without any, they are in one with what leads them."""
    expect_workers: int = 0
    """Those elsewhere that connect; see `loadtest.locustfile` for how they are started."""
    master_port: int = 5557
    """Where workers connect to; on all addresses of this machine where some are elsewhere."""
    seed: int = 0
    client_cpus: tuple[int, ...] | None = None
    """Processors the generator is pinned to, so that it does not run on the server's."""

    def __post_init__(self) -> None:
        url = urlsplit(self.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise LoadTestError(f"'{self.url}' is not an address to load; give one such as http://127.0.0.1:8080.")
        if self.levels != "auto" and (
            not self.levels or min(self.levels) < 1 or len(set(self.levels)) < len(self.levels)
        ):
            raise LoadTestError("Levels are numbers of users, each once, such as 1,2,4,8, or the word auto.")
        if not 0 < self.precision < 1 or self.max_visits < 1:
            raise LoadTestError("Give a precision between 0 and 1, and at least one visit.")
        if self.max_search_s is not None and self.max_search_s <= 0:
            raise LoadTestError("Give a positive max_search_s, or none.")
        if not 1 <= self.first_users <= self.max_users:
            raise LoadTestError("Give numbers of users with 1 <= first_users <= max_users.")
        if self.think_time_s < 0 or self.timeout_s <= 0 or self.ramp_s <= 0 or self.settle_s < 0:
            raise LoadTestError("Give a positive timeout_s and ramp_s, and no negative time.")
        if not 0 < self.min_dwell_s <= self.max_dwell_s:
            raise LoadTestError("Give dwell times with 0 < min_dwell_s <= max_dwell_s.")
        if min(self.workers, self.expect_workers) < 0:
            raise LoadTestError("Give no negative number of workers.")
        if self.max_connections < 1 or self.most_lag_s <= 0:
            raise LoadTestError("Give at least one connection, and a positive most_lag_s.")


def encode_campaign(campaign: Campaign) -> bytes:
    """JSON that `decode_campaign` reads in the generator's process."""
    return msgspec.json.encode(campaign, enc_hook=str)


def decode_campaign(data: bytes) -> Campaign:
    """The campaign that `encode_campaign` wrote."""
    return msgspec.json.decode(data, type=Campaign, dec_hook=lambda kind, value: kind(value))


def read_bodies(path: Path) -> tuple[bytes, ...]:
    """Request bodies, one per line of a JSON Lines file; raises LoadTestError when there are none."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise LoadTestError(f"Cannot read the request bodies in '{path}' ({error.strerror}).") from error
    bodies = tuple(line for line in lines if line.strip())
    if not bodies:
        raise LoadTestError(f"'{path}' holds no request bodies; write one JSON document per line.")
    return bodies
