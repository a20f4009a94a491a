"""A service level objective: so many percent of all requests are answered within so much time."""

import re
from dataclasses import dataclass

from loadtest.results.errors import LoadTestError

_SPELLING = re.compile(r"p(\d{1,2}(?:\.\d+)?)=(\d+(?:\.\d+)?)(ms|s)")


@dataclass(frozen=True, slots=True)
class Slo:
    """`percent` of the requests are answered ok within `limit_ms`; one that is not served is never in time."""

    percent: float
    """Such as 95."""
    limit_ms: float
    """From when a request is due to its answer."""

    @property
    def share(self) -> float:
        """The share of requests that may be late or unserved."""
        return 1 - self.percent / 100

    def __str__(self) -> str:
        return f"p{self.percent:g}={self.limit_ms:g}ms"


def parse_slo(text: str) -> Slo:
    """Read `p95=200ms` or `p99=1.5s`; raises LoadTestError for anything else."""
    found = _SPELLING.fullmatch(text.strip())
    if not found or not 0 < float(found[1]) < 100 or float(found[2]) <= 0:
        raise LoadTestError(f"'{text}' is no objective; give a percentile and a time, such as p95=200ms.")
    return Slo(float(found[1]), float(found[2]) * (1000 if found[3] == "s" else 1))
