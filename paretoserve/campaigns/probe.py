"""What is asked of a fresh server before its search begins: how fast it answers one user, and how much at most."""

import http.client
import math
import statistics
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from loadtest import campaign as generator
from loadtest.generator.probe import headers_of
from loadtest.plan.settings import Campaign, read_bodies
from loadtest.results.errors import LoadTestError
from loadtest.statistics.search import first_levels

# Enough for a median, and few enough that a slow candidate answers them in seconds.
_REQUESTS, _LONGEST_S = 30, 3.0
# Users without think time: enough to fill the queue as far as its deadline allows, and few enough to be let in.
_FEWEST, _MOST = 2, 64
# Where the deadline is not known.
_USUAL = 32


def service_seconds(campaign: Campaign) -> float:
    """The median response time of a single user.

    Raises:
        LoadTestError: a request was not answered 200.
    """
    url, bodies = urlsplit(campaign.url), read_bodies(campaign.bodies)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=campaign.timeout_s)
    taken_s: list[float] = []
    try:
        while len(taken_s) < _REQUESTS and sum(taken_s) < _LONGEST_S:
            taken_s.append(
                _asked(connection, url.path.rstrip("/") + campaign.path, campaign, bodies[len(taken_s) % len(bodies)])
            )
    except (OSError, http.client.HTTPException) as exc:
        raise LoadTestError(f"{campaign.url} broke off a request ({exc}); look into the server's log.") from exc
    finally:
        connection.close()
    # The first one warms the connection up.
    return statistics.median(taken_s[1:] or taken_s)


def _asked(connection: http.client.HTTPConnection, path: str, campaign: Campaign, body: bytes) -> float:
    started_s = time.perf_counter()
    connection.request("POST", path, body, headers_of(campaign, body))
    answer = connection.getresponse()
    answer.read()
    if not 200 <= answer.status < 300:
        raise LoadTestError(f"{campaign.url} answered {answer.status} to a single user; look into the server's log.")
    return time.perf_counter() - started_s


def saturating_users(service_s: float, queue_deadline_s: float | None) -> int:
    """How many users without think time keep a server busy."""
    if queue_deadline_s is None:
        return _USUAL
    return min(_MOST, max(_FEWEST, math.ceil(queue_deadline_s / service_s)))


def limit_per_s(
    campaign: Campaign, queue_deadline_s: float | None, seconds: float, out_dir: Path
) -> tuple[float, float]:
    """Answers per second of users without think time, and the response time of a single user in seconds."""
    service_s = service_seconds(campaign)
    users = saturating_users(service_s, queue_deadline_s)
    return generator.saturation(campaign, users, seconds, out_dir), service_s


def probed(
    campaign: Campaign, queue_deadline_s: float | None, seconds: float, out_dir: Path, least_users: int = 1
) -> Campaign:
    """The campaign with levels to begin at, by what the server can do; of `least_users` or more, if there are any."""
    saturation_per_s, service_s = limit_per_s(campaign, queue_deadline_s, seconds, out_dir)
    levels = first_levels(saturation_per_s, service_s, queue_deadline_s, campaign.think_time_s)
    return replace(campaign, levels=tuple(users for users in levels if users >= least_users) or levels)
