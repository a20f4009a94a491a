"""How fast a training gets from all weights to those that are to stay."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Nothing happens before step `begin`; by step `end` all has happened."""

    begin: int
    end: int

    def at(self, step: int) -> float:
        """How much of the way is behind at a step, 0 to 1: fast at first, where much is superfluous, and slow at last.

        The cubic schedule of Zhu and Gupta 2017, arXiv:1710.01878.
        """
        share = (step - self.begin) / max(1, self.end - self.begin)
        return 1 - (1 - min(1.0, max(0.0, share))) ** 3
