"""What a call of the engine costs, as a function of its tokens: measured at warm-up, corrected as it runs."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.padding import Grid

Floats = NDArray[np.float64]


class Cost(msgspec.Struct, frozen=True, array_like=True):
    """What a call with rows of equal width costs, in seconds, with tokens = rows · width:

    base_s + per_token_s · tokens + per_row_token2_s · rows · width² + per_call_token2_s · tokens².

    The first square is attention, which is computed between all tokens of a row. The second is what large calls lose
    when their activations outgrow the caches of the processor.
    """

    base_s: float = 0.0
    per_token_s: float = 0.0
    per_row_token2_s: float = 0.0
    per_call_token2_s: float = 0.0

    def seconds(self, width: float) -> float:
        """One row."""
        return self.rows_seconds(1, width)

    def rows_seconds(self, rows: float, width: float) -> float:
        base, tokens, row_tokens2, call_tokens2 = _terms(rows, width)
        return (
            self.base_s * base
            + self.per_token_s * tokens
            + self.per_row_token2_s * row_tokens2
            + self.per_call_token2_s * call_tokens2
        )

    def layout_seconds(self, tokens: float, narrowest: int = 32) -> float:
        """That many tokens in rows as wide as is cheapest, but for padding; a row is no narrower than a text."""
        widths = [narrowest << n for n in range(8) if narrowest << n < tokens]
        return min((self.rows_seconds(tokens / width, width) for width in widths), default=self.seconds(tokens))


def _terms(rows: float, width: float) -> tuple[float, float, float, float]:
    return 1.0, rows * width, rows * width * width, (rows * width) ** 2


NO_COST = Cost()
"""Nothing is known: the user's own model, which is asked one request at a time, cannot be measured."""


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


def fit_cost(samples: Sequence[tuple[int, int, float]]) -> Cost:
    """Least squares over (rows, width, seconds), relative errors weighted alike, no term negative.

    Of all sets of terms that fit without a negative one, the one with the least error is taken: a cost that falls with
    tokens is noise.
    """
    measured = np.array([_terms(rows, width) for rows, width, _ in samples])
    relative = measured / np.array([[seconds] for _, _, seconds in samples])
    kinds = [kept for count in range(1, 5) for kept in itertools.combinations(range(4), count)]
    fits = [fit for fit in (_fit(relative, kept) for kept in kinds) if (fit >= 0).all()]
    best = min(fits, key=lambda fit: float(np.square(relative @ fit - 1).sum()))
    return Cost(*map(float, best))


def _fit(relative: Floats, kept: tuple[int, ...]) -> Floats:
    """The factors of the kept terms, zero for the others."""
    factors = np.zeros(4)
    factors[[*kept]] = np.linalg.lstsq(relative[:, kept], np.ones(len(relative)), rcond=None)[0]
    return factors
