"""Pretrained encoders, whose head may be missing or for other labels: what a training begins with."""

from dataclasses import dataclass, replace
from pathlib import Path

from model_store.errors import UnsupportedCheckpoint
from networks.checkpoint import read_weights
from networks.config import read_architecture, read_shape
from networks.encoder.drawn import drawn_encoder
from networks.encoder.modules import PackedEncoder, Weights

# What may be drawn: a network learns it from few texts.
_HEAD = {"pooler": "bert.pooler.", "classifier": "classifier."}

# So many names stand in a message.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Pretrained:
    """`drawn` are the parts of the head that the checkpoint does not have for these labels: `pooler`, `classifier`."""

    encoder: PackedEncoder
    drawn: tuple[str, ...]


def load_pretrained(checkpoint: Path, labels: tuple[str, ...], seed: int) -> Pretrained:
    """The encoder of a checkpoint with a head for `labels`, in fp32.

    The head is the checkpoint's own where that has one for these labels, in this order; what is missing of it is drawn
    from `seed`.

    Raises:
        UnsupportedCheckpoint: it is of an architecture that is not read, lacks weights of the encoder, or has others
            besides, which are named.
    """
    architecture, shape = read_architecture(checkpoint), read_shape(checkpoint)
    encoder = drawn_encoder(replace(shape, labels=labels), seed)
    weights, own = read_weights(checkpoint, architecture), encoder.state_dict()
    if [one.casefold() for one in shape.labels] != [one.casefold() for one in labels]:
        weights = _without(weights, _HEAD["classifier"])
    missing = own.keys() - weights.keys()
    drawn = tuple(part for part, names in _HEAD.items() if any(name.startswith(names) for name in missing))
    for part in drawn:
        weights = _without(weights, _HEAD[part])
    found = weights | {name: own[name] for part in drawn for name in own if name.startswith(_HEAD[part])}
    _check(checkpoint, architecture.model_type, found, own)
    encoder.load_state_dict(found)
    return Pretrained(encoder, drawn)


def _without(weights: Weights, prefix: str) -> Weights:
    return {name: weight for name, weight in weights.items() if not name.startswith(prefix)}


def _check(checkpoint: Path, model_type: str, found: Weights, own: Weights) -> None:
    """Refuse weights that are not those of the encoder, by name."""
    other_shape = {name for name in found.keys() & own.keys() if found[name].shape != own[name].shape}
    wrong = {
        "has weights that no encoder of its architecture has": found.keys() - own.keys(),
        "lacks weights of the encoder": own.keys() - found.keys(),
        "has weights of another shape than its config.json says": other_shape,
    }
    for what, names in wrong.items():
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            raise UnsupportedCheckpoint(
                f"{checkpoint.name!r} {what}: {', '.join(sorted(names)[:_NAMED])}{more}; give a checkpoint of a "
                f"{model_type} encoder, with or without a classifier."
            )
