"""What a call of the engine costs, as a function of its tokens: measured at warm-up, corrected as it runs."""

from collections.abc import Sequence

import msgspec
import numpy as np


class Cost(msgspec.Struct, frozen=True, array_like=True):
    """seconds = base_s + per_token_s · tokens + per_token2_s · tokens², for one packed row.

    The square is attention, which is computed between all tokens of a row.
    """

    base_s: float = 0.0
    per_token_s: float = 0.0
    per_token2_s: float = 0.0

    def seconds(self, tokens: float) -> float:
        return self.base_s + self.per_token_s * tokens + self.per_token2_s * tokens * tokens


def fit_cost(samples: Sequence[tuple[int, float]]) -> Cost:
    """Least squares over (tokens, seconds), relative errors weighted alike, no term negative.

    A term that would come out negative is left out, the highest first: a cost that falls with tokens is noise.
    """
    tokens = np.array([t for t, _ in samples], float)
    seconds = np.array([s for _, s in samples], float)
    for terms in ((0, 1, 2), (0, 1), (1,)):
        powers = np.stack([tokens**power for power in terms], axis=1)
        fitted = np.linalg.lstsq(powers / seconds[:, np.newaxis], np.ones_like(seconds), rcond=None)[0]
        if (fitted >= 0).all():
            break
    found = dict(zip(terms, map(float, fitted), strict=True))
    return Cost(found.get(0, 0.0), found.get(1, 0.0), found.get(2, 0.0))
