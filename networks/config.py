"""The `config.json` of a checkpoint, read and written without torch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from model_store.errors import UnsupportedCheckpoint
from networks.architectures.base import Architecture, PublishedConfig
from networks.architectures.bert import published_config
from networks.architectures.catalogue import ARCHITECTURES
from networks.encoder.shape import EncoderShape


def read_shape(checkpoint: Path) -> EncoderShape:
    """The shape of the checkpoint in folder `checkpoint`.

    Raises:
        UnsupportedCheckpoint: it has no `config.json`, or one of an architecture or a form that the encoder does not
            compute.
    """
    config = _read(checkpoint)
    architecture = _architecture(config)
    shape = architecture.shape(config)
    return replace(shape, max_tokens=shape.max_tokens - architecture.position_offset)


def read_architecture(checkpoint: Path) -> Architecture:
    """How the checkpoint in folder `checkpoint` is read.

    Raises:
        UnsupportedCheckpoint: it has no `config.json`, or one of another architecture.
    """
    return _architecture(_read(checkpoint))


def config_json(shape: EncoderShape) -> bytes:
    """A Hugging Face `config.json` that `read_shape` turns into the same shape again."""
    return msgspec.json.format(msgspec.json.encode(published_config(shape)), indent=2) + b"\n"


def _read(checkpoint: Path) -> PublishedConfig:
    try:
        raw = msgspec.json.decode((checkpoint / "config.json").read_bytes(), type=dict[str, Any])
    except FileNotFoundError as exc:
        raise UnsupportedCheckpoint(
            f"{checkpoint.name!r} has no config.json; give the folder of a fine-tuned Hugging Face checkpoint."
        ) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UnsupportedCheckpoint(f"config.json of {checkpoint.name!r} is not JSON ({exc}).") from exc
    return PublishedConfig(checkpoint.name, raw)


def _architecture(config: PublishedConfig) -> Architecture:
    model_type = config.get("model_type", "bert")
    if model_type not in ARCHITECTURES:
        raise UnsupportedCheckpoint(
            f"config.json of {config.checkpoint!r} has model_type = {model_type!r}; only these architectures are "
            f"read: {', '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[model_type]
