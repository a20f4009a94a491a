"""What a comparison is: candidates, data, and the load that is the same for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from loadtest.campaign import Campaign
from loadtest.results.slo import Slo
from model_store.errors import ParetoServeError
from paretoserve.candidates.candidate import Candidate
from paretoserve.hosts.container import Limits
from recipes.data.rows import Columns

Levels = tuple[int, ...] | Literal["auto"]


@dataclass(frozen=True, slots=True)
class Load:
    """How users behave, and for how long each level is measured."""

    levels: Levels = "auto"
    think_time_s: float = 0.1
    min_dwell_s: float = 4.0
    max_dwell_s: float = 10.0
    first_users: int = 1
    """Where `auto` begins where nothing is known of the endpoint."""
    ramp_s: float = 1.0
    """From one level to the next."""
    settle_s: float = 1.0
    """Discarded at the start of a level."""
    min_attempts: int = 32
    """Of a level; with fewer answers nothing says whether it was steady."""
    exact_levels: bool = False
    """Visit these levels and no others, instead of searching for the threshold from them on."""
    max_visits: int = 10
    """The search ends after so many visits to levels."""
    max_search_s: float | None = None
    """No visit begins later than so many seconds after the search has."""
    later_visits: int = 8
    """The same in later blocks, which begin around what the earlier ones found."""
    rate_s: float = 10.0
    """At the common rate."""
    probe_s: float = 2.0
    """Of users without think time, who say what the server can do at most."""
    slo: Slo | None = None

    def campaign(self, url: str, bodies: Path, path: str, **more: Any) -> Campaign:
        """The same load on an endpoint; `more` are further settings, which count more."""
        same = (
            "levels",
            "exact_levels",
            "max_visits",
            "max_search_s",
            "think_time_s",
            "min_dwell_s",
            "max_dwell_s",
            "first_users",
            "slo",
        )
        settings = {name: getattr(self, name) for name in (*same, "ramp_s", "settle_s", "min_attempts")}
        return Campaign(url=url, bodies=bodies, path=path, **{**settings, **more})

    @property
    def visit_s(self) -> float:
        """What a visit to a level takes, most often: the longest ones are few."""
        dwell_s = self.min_dwell_s + (self.max_dwell_s - self.min_dwell_s) / 3
        return self.ramp_s + max(self.settle_s, 3 * self.think_time_s) + dwell_s


def quick(load: Load) -> Load:
    """Short levels and few of them, for a first look."""
    return replace(
        load,
        min_dwell_s=min(load.min_dwell_s, 2.0),
        max_dwell_s=min(load.max_dwell_s, 4.5),
        ramp_s=0.5,
        settle_s=0.5,
        max_visits=min(load.max_visits, 6),
        max_search_s=load.max_search_s or 16.0,
        rate_s=5.0,
        probe_s=1.5,
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to compare and under which load. The settings are the same for every candidate.

    Raises:
        ParetoServeError: there is no candidate, one is named twice, or there is no block.
    """

    candidates: Sequence[Candidate]
    data: str
    out_dir: Path
    load: Load = Load()
    queue_deadline_s: float = 0.1
    texts_per_request: int = 1
    columns: Columns = Columns()
    title: str = "Comparison"
    # Where given, each candidate runs in a container with these limits, and in a process of this machine otherwise.
    containers: Limits | None = None
    blocks: int = 3
    is_quick: bool = False
    """One block without a canary, whatever `blocks` says; the load is to be `quick`, too."""
    seed: int = 0
    price_per_hour: float | None = None
    max_drop: float = 0.02
    common_rate_per_s: float | None = None
    """Where it is given, as by the report that this one is held against; else a pilot finds it."""
    restarts: bool = False
    """Measure everything, also what is kept from before."""

    def __post_init__(self) -> None:
        names = [candidate.name for candidate in self.candidates]
        twice = next((name for name in names if names.count(name) > 1), None)
        if not names or twice:
            raise ParetoServeError(f"Name each candidate once{f'; {twice} is there twice' if twice else ''}.")
        if self.blocks < 1:
            raise ParetoServeError("A comparison has one block at least; give --blocks 1 or more.")

    @property
    def planned_blocks(self) -> int:
        return 1 if self.is_quick else self.blocks

    @property
    def has_canary(self) -> bool:
        """With a single block there is nothing to tell noise between starts of a server from."""
        return self.planned_blocks > 1

    def block_name(self, block: int) -> str:
        """For people, who count from 1."""
        return f"block {block + 1} of {self.planned_blocks}"
