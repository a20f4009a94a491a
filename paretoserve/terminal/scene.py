"""What a running load test looks like on a terminal: its state, and how that is drawn."""

from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadtest.generator.events import CampaignEvent, LevelDone, LevelStarted, LevelTicked
from paretoserve.terminal.rich_tables import new_table

_NONE = "\N{EN DASH}"
_BAR = 24


@dataclass(slots=True)
class Level:
    """The level that is running, as far as it is known."""

    at: str
    """Users, or a rate."""
    place: int
    """Among the visits of this run, from 1."""
    part: float = 0.0
    ok_per_s: float | None = None
    p95_ms: float | None = None
    unserved_share: float | None = None
    doubts: tuple[str, ...] = ()
    """Why it cannot be believed, once it is over; the first reason is shown."""

    def __str__(self) -> str:
        return ", ".join(
            (
                f"level {self.place}: {self.at}",
                f"{_number(self.ok_per_s)} answers/s",
                f"p95 {_number(self.p95_ms)} ms",
                f"{_NONE if self.unserved_share is None else f'{self.unserved_share:.1%}'} unserved",
                *(f"doubted: {doubt.rstrip('.')}" for doubt in self.doubts[:1]),
            )
        )


@dataclass(slots=True)
class Scene:
    """A comparison in its course. `columns` are its blocks, `found` what each candidate's runs found, by block."""

    title: str
    columns: tuple[str, ...] = ()
    candidate: str = ""
    block: str = ""
    doing: str = ""
    part: float = 0.0
    """Of what is being done now."""
    level: Level | None = None
    left_s: float | None = None
    found: dict[str, dict[str, str]] = field(default_factory=dict)

    def begin(self, candidate: str, block: str, left_s: float | None) -> None:
        self.candidate, self.block, self.left_s = candidate, block, left_s
        self.do("starting", 0.0)

    def do(self, what: str, part: float) -> None:
        self.doing, self.part, self.level = what, part, None

    def see(self, event: CampaignEvent) -> None:
        """Take in what the load generator tells."""
        match event:
            case LevelStarted():
                self.level = Level(load_of(event), event.index + 1)
            case LevelTicked() if self.level:
                self.level.part = min(1.0, event.elapsed_s / event.max_dwell_s)
                self.level.ok_per_s, self.level.unserved_share = event.ok_per_s, event.unserved_share
                self.level.p95_ms = event.p95_ms
            case LevelDone() if self.level:
                done = event.result
                self.level.part, self.level.ok_per_s = 1.0, done.ok_per_s
                self.level.p95_ms, self.level.unserved_share = done.p95_ms, done.unserved_share
                self.level.doubts = done.doubts

    def end(self, candidate: str, block: str, found: str) -> None:
        self.found.setdefault(candidate, {})[block] = found

    @property
    def now(self) -> str:
        return str(self.level) if self.level else self.doing


def load_of(event: LevelStarted) -> str:
    """Users, or a rate."""
    if event.rate_per_s is not None:
        return f"{event.rate_per_s:.3g} requests/s"
    return "1 user" if event.users == 1 else f"{event.users} users"


def drawn(scene: Scene) -> RenderableType:
    """The scene for a terminal of any width: what is done, what is going on, and how long it will take."""
    part = scene.level.part if scene.level else scene.part
    head = Text(scene.title, style="bold")
    where = Text(", ".join(filter(None, (scene.candidate, scene.block))), style="cyan")
    time_left = Text("" if scene.left_s is None else f"about {duration(scene.left_s)} left", style="dim")
    lines: list[RenderableType] = [head, where, Text(scene.now), ProgressBar(1.0, part, width=_BAR), time_left]
    return Group(*([_table(scene)] if scene.found else []), *lines)


def _table(scene: Scene) -> Table:
    table = new_table("throttles at, users", *scene.columns)
    for candidate, blocks in scene.found.items():
        table.add_row(candidate, *(blocks.get(block, _NONE) for block in scene.columns))
    return table


def duration(seconds: float) -> str:
    """For people: `40 s`, `12 min`."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"
