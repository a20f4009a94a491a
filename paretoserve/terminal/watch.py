"""Shows a load test while it runs: a dashboard on a terminal, lines elsewhere."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live

from loadtest.generator.events import CampaignEvent, LevelDone
from paretoserve.terminal import progress
from paretoserve.terminal.scene import Scene, drawn, duration

# Drawing takes processor time from what is measured.
_REFRESH_PER_S = 2


class Watch:
    """What a campaign tells while it runs. This one prints lines: one for each run, step and level, and no more."""

    def __init__(self, scene: Scene, console: Console) -> None:
        self.scene = scene
        self._console = console
        self._doing = ""

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    def begin(self, candidate: str, block: str, left_s: float | None) -> None:
        self.scene.begin(candidate, block, left_s)
        self._line(f"{self._where()} …{f' (about {duration(left_s)} left)' if left_s else ''}")

    def do(self, what: str, part: float = 0.0) -> None:
        """Of a step within a run `part` is done, 0 to 1."""
        self.scene.do(what, part)
        if what != self._doing:
            self._line(f"  {self._where()}: {what}")
        self._doing = what

    def see(self, event: CampaignEvent) -> None:
        self.scene.see(event)
        if isinstance(event, LevelDone):
            self._line(f"  {self._where()}: {self.scene.now}")

    def end(self, candidate: str, block: str, found: str) -> None:
        self.scene.end(candidate, block, found)
        self._line(f"{self._where()}: {found}")

    def skip(self, candidate: str, block: str, found: str) -> None:
        """A run that was done by an earlier command."""
        self.scene.end(candidate, block, found)
        self._line(f"{candidate}, {block}: {found} (kept from before)")

    def _where(self) -> str:
        return ", ".join(filter(None, (self.scene.candidate, self.scene.block)))

    def _line(self, line: str) -> None:
        self.say(line)


class Dashboard(Watch):
    """The same, in a part of the terminal that is drawn anew as things go on; time left counts down meanwhile."""

    def __init__(self, scene: Scene, console: Console) -> None:
        super().__init__(scene, console)
        self._told_s = time.monotonic()

    def begin(self, candidate: str, block: str, left_s: float | None) -> None:
        super().begin(candidate, block, left_s)
        self._told_s = time.monotonic()

    def __rich__(self) -> RenderableType:
        now_s = time.monotonic()
        if self.scene.left_s is not None:
            self.scene.left_s = max(0.0, self.scene.left_s - (now_s - self._told_s))
        self._told_s = now_s
        return drawn(self.scene)

    def _line(self, line: str) -> None:
        """Everything that is told is in the scene."""


@contextmanager
def watching(title: str, columns: Sequence[str] = (), plain: bool = False) -> Iterator[Watch]:
    """Show a load test with these blocks; `plain` wants lines also on a terminal."""
    console, scene = progress.errors, Scene(title, tuple(columns))
    if plain or not console.is_terminal:
        yield Watch(scene, console)
        return
    dashboard = Dashboard(scene, console)
    with Live(dashboard, console=console, refresh_per_second=_REFRESH_PER_S, redirect_stdout=False):
        yield dashboard
