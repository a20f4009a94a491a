"""How long a command may take: read from a word, and counted down while it trains."""

import re
import time
from collections.abc import Callable

from model_store.errors import RecipeError
from paretoserve.terminal.progress import Progress

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class TimeIsUp(Exception):
    """A training was ended, as the time was up; its message is what was being done."""


def read_length(text: str) -> float:
    """The seconds that a length of time has: `90s`, `30m`, `1.5h`.

    Raises:
        RecipeError: it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip().lower())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if seconds <= 0:
        raise RecipeError(
            f"--time-budget {text!r} is no length of time; give a number above 0 with s, m or h behind it, as in 90s, "
            "30m or 1.5h."
        )
    return seconds


def length_text(seconds: float) -> str:
    """`40 s`, `12 min` or `3 h 05 min`."""
    if seconds < 60:
        return f"{max(0.0, seconds):.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


class Budget:
    """So many seconds from now on."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._ends_at = now, now() + seconds

    def left_s(self) -> float:
        return self._ends_at - self._now()

    @property
    def is_over(self) -> bool:
        return self.left_s() <= 0


class Watch:
    """The progress of a chain, which tells what is left of the budget; `check` ends a training where nothing is."""

    def __init__(self, report: Progress, budget: Budget) -> None:
        self._report, self._budget, self._doing = report, budget, ""

    def report(self, what: str, done: float) -> None:
        # Figures behind the first comma change with every step.
        self._doing = what.split(",")[0]
        self._report(f"{what}; {length_text(self._budget.left_s())} of the time budget left", done)

    def check(self) -> None:
        """Raises TimeIsUp."""
        if self._budget.is_over:
            raise TimeIsUp(self._doing)
