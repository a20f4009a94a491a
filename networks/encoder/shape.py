"""The shape of the encoder: all that must be known to make one, without its weights. Needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Sizes of the encoder and of its head. `heads` and `units` have one entry per layer: pruning changes them.

    `labels` are the names of the outputs; `max_tokens` is the number of positions; `dropout` counts in training only.
    """

    vocab_size: int
    hidden_size: int
    head_size: int
    heads: tuple[int, ...]
    units: tuple[int, ...]
    labels: tuple[str, ...]
    max_tokens: int = 512
    token_types: int = 2
    layer_norm_eps: float = 1e-12
    dropout: float = 0.1

    @property
    def layers(self) -> int:
        return len(self.heads)
