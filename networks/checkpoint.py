"""Checkpoint folders (`config.json`, `model.safetensors`) as the encoder, and the encoder as such a folder."""

from pathlib import Path
from textwrap import shorten

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model_store.errors import UnsupportedCheckpoint
from networks.architectures.base import Architecture
from networks.config import config_json, read_architecture, read_shape
from networks.encoder.modules import POSITIONS, PackedEncoder, Weights

# Characters of what torch says, of which the first few weights are enough.
_REASON = 120


def load_checkpoint(checkpoint: Path) -> PackedEncoder:
    """The encoder with the weights of a published or saved checkpoint, in eval mode, in fp32.

    Raises:
        UnsupportedCheckpoint: it is of an architecture that is not read, its weights are not safetensors, or they are
            not those that its `config.json` states.
    """
    architecture, encoder = read_architecture(checkpoint), PackedEncoder(read_shape(checkpoint))
    weights = read_weights(checkpoint, architecture)
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as exc:
        raise UnsupportedCheckpoint(
            f"The weights of {checkpoint.name!r} are not those of a fine-tuned {architecture.model_type} classifier "
            f"({_shortened(str(exc).splitlines()[-1])}); give one, or make one of it with 'paretoserve finetune'."
        ) from exc
    return encoder.eval()


def read_weights(checkpoint: Path, architecture: Architecture) -> Weights:
    """The weights of a published or saved checkpoint under the encoder's names, in fp32, with positions from 0.

    Raises:
        UnsupportedCheckpoint: its weights are not safetensors.
    """
    file = checkpoint / "model.safetensors"
    if not file.is_file():
        raise UnsupportedCheckpoint(
            f"{checkpoint.name!r} has no model.safetensors; save it again with save_pretrained(..., "
            "safe_serialization=True): pickled weights are not loaded."
        )
    try:
        published = load_file(file)
    except SafetensorError as exc:
        raise UnsupportedCheckpoint(
            f"model.safetensors of {checkpoint.name!r} cannot be read ({exc}); copy it again."
        ) from exc
    return _encoder_weights(published, architecture)


def save_checkpoint(encoder: PackedEncoder, checkpoint: Path) -> None:
    """Write `config.json` and `model.safetensors` that `load_checkpoint` reads."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "config.json").write_bytes(config_json(encoder.shape))
    weights = {name: weight.detach().contiguous() for name, weight in encoder.state_dict().items()}
    save_file(weights, checkpoint / "model.safetensors")


def _shortened(reason: str) -> str:
    """Torch names every weight that it misses."""
    return shorten(reason, _REASON, placeholder=" …").rstrip(". ")


def _encoder_weights(published: Weights, architecture: Architecture) -> Weights:
    named = ((architecture.encoder_name(name), weight.float()) for name, weight in published.items())
    weights = {name: weight for name, weight in named if name is not None}
    if POSITIONS in weights:
        weights[POSITIONS] = weights[POSITIONS][architecture.position_offset :]
    return weights
