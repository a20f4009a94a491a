"""What a call of the engine costs, as a function of its tokens: measured at warm-up, corrected as it runs."""

import msgspec


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
        base, tokens, row_tokens2, call_tokens2 = cost_terms(rows, width)
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


def cost_terms(rows: float, width: float) -> tuple[float, float, float, float]:
    """What each of the factors of a cost is multiplied with."""
    return 1.0, rows * width, rows * width * width, (rows * width) ** 2


NO_COST = Cost()
"""Nothing is known: the user's own model cannot be measured."""
