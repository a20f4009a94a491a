"""What an architecture says of itself, so that its published checkpoints are read into the one encoder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model_store.errors import UnsupportedCheckpoint
from networks.encoder.shape import EncoderShape


@dataclass(frozen=True, slots=True)
class PublishedConfig:
    """The `config.json` of a checkpoint. What it lacks is refused by name."""

    checkpoint: str
    values: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        if key not in self.values:
            raise UnsupportedCheckpoint(
                f"config.json of {self.checkpoint!r} lacks {key!r}; save it again with save_pretrained(...)."
            )
        return self.values[key]

    def get(self, key: str, default: Any) -> Any:
        return self.values.get(key, default)

    def require(self, **expected: Any) -> None:
        """Refuse other values than these, which the encoder does not compute; what is left out has the value wanted."""
        for key, wanted in expected.items():
            if self.get(key, wanted) != wanted:
                raise UnsupportedCheckpoint(
                    f"config.json of {self.checkpoint!r} has {key} = {self[key]!r}; only {wanted!r} is supported."
                )


@dataclass(frozen=True, slots=True)
class Architecture:
    """How the checkpoints of one `model_type` are read.

    `shape` reads the configuration; positions are counted as in the checkpoint's own table. `encoder_name` says what
    the encoder calls a weight, or None where it has no use for it; the head's weights are renamed like all others.
    The encoder counts positions from 0: the table's first `position_offset` rows are left out.
    """

    model_type: str
    shape: Callable[[PublishedConfig], EncoderShape]
    encoder_name: Callable[[str], str | None]
    position_offset: int = 0
