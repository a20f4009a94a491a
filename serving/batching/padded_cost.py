"""What padded calls cost: filled up to the shapes that the engine takes."""

from dataclasses import dataclass

from handlers.tokens.padding import Grid
from serving.wire.cost import Cost


@dataclass(frozen=True, slots=True)
class PaddedCost:
    """What it costs to compute texts in a row each, filled up to the shapes of a grid."""

    grid: Grid
    cost: Cost

    def tokens(self, texts: int, longest: int) -> int:
        """Tokens with padding."""
        return self.grid.tokens(texts, longest)

    def seconds(self, texts: int, longest: int) -> float:
        return self.grid.calls(texts) * self.cost.rows_seconds(*self.grid.shape(texts, longest))
