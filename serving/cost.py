"""What a call of the engine costs, as a function of its tokens: measured at warm-up, corrected as it runs."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Cost(msgspec.Struct, frozen=True, array_like=True):
    """seconds = base_s + rows · (per_token_s · width + per_token2_s · width²), for a call with rows of equal width.

    The square is attention, which is computed between all tokens of a row.
    """

    base_s: float = 0.0
    per_token_s: float = 0.0
    per_token2_s: float = 0.0

    def seconds(self, width: float) -> float:
        """One row."""
        return self.rows_seconds(1, width)

    def rows_seconds(self, rows: float, width: float) -> float:
        return self.base_s + rows * (self.per_token_s * width + self.per_token2_s * width * width)

    def layout_seconds(self, tokens: float, narrowest: int = 32) -> float:
        """That many tokens in rows as wide as is cheapest, but for padding; a row is no narrower than a text."""
        widths = [narrowest << n for n in range(8) if narrowest << n < tokens]
        return min((self.rows_seconds(tokens / width, width) for width in widths), default=self.seconds(tokens))


NO_COST = Cost()
"""Nothing is known: the user's own model, which is asked one request at a time, cannot be measured."""


def fit_cost(samples: Sequence[tuple[int, float]]) -> Cost:
    """Least squares over (tokens, seconds), relative errors weighted alike, no term negative.

    A term that would come out negative is left out: a cost that falls with tokens is noise.
    """
    tokens = np.array([t for t, _ in samples], float)
    seconds = np.array([s for _, s in samples], float)
    fits = [_fit(tokens, seconds, terms) for terms in ((0, 1, 2), (1, 2), (0, 1), (1,))]
    allowed = [fit for fit in fits if (fit >= 0).all()]  # the last always is
    errors = [_error(fit, tokens, seconds) for fit in allowed]
    return Cost(*map(float, allowed[int(np.argmin(errors))]))


def _fit(tokens: Floats, seconds: Floats, terms: tuple[int, ...]) -> Floats:
    """The coefficients of 1, tokens and tokens², zero where they are not among `terms`."""
    powers = np.stack([tokens**power for power in terms], axis=1)
    coefficients = np.zeros(3)
    coefficients[[*terms]] = np.linalg.lstsq(powers / seconds[:, np.newaxis], np.ones_like(seconds), rcond=None)[0]
    return coefficients


def _error(fit: Floats, tokens: Floats, seconds: Floats) -> float:
    return float(np.square(np.polyval(fit[::-1], tokens) / seconds - 1).sum())
