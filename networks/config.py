"""The shape of a BERT classifier, as a Hugging Face `config.json`; read without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from model_store.errors import UnsupportedCheckpoint


@dataclass(frozen=True, slots=True)
class BertConfig:
    """The shape of a BERT classifier. `heads` and `units` have one entry per layer."""

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


# What this network does not compute; any other value would silently give wrong answers.
_REQUIRED = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


def read_config(checkpoint: Path) -> BertConfig:
    """The shape of the checkpoint in `checkpoint`, from its Hugging Face `config.json`.

    `heads_kept` and `units_kept`, one number per layer, override the uniform counts of a dense checkpoint.

    Raises:
        UnsupportedCheckpoint: it is not a BERT classifier that this network can run.
    """
    path = checkpoint / "config.json"
    try:
        raw: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError as exc:
        raise UnsupportedCheckpoint(
            f"{checkpoint.name!r} has no config.json; give the folder of a fine-tuned Hugging Face checkpoint."
        ) from exc
    except msgspec.DecodeError as exc:
        raise UnsupportedCheckpoint(f"config.json of {checkpoint.name!r} is not JSON ({exc}).") from exc
    for key, expected in _REQUIRED.items():
        if raw.get(key, expected) != expected:
            raise UnsupportedCheckpoint(
                f"config.json of {checkpoint.name!r} has {key} = {raw[key]!r}; only {expected!r} is supported."
            )
    try:
        return _config_from(raw)
    except KeyError as exc:
        raise UnsupportedCheckpoint(
            f"config.json of {checkpoint.name!r} lacks {exc.args[0]!r}, which every BERT checkpoint states."
        ) from exc


def _config_from(raw: dict[str, Any]) -> BertConfig:
    layers = raw["num_hidden_layers"]
    # Checkpoints with the default two labels leave them out.
    labels = raw.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    return BertConfig(
        vocab_size=raw["vocab_size"],
        hidden_size=raw["hidden_size"],
        head_size=raw.get("head_size", raw["hidden_size"] // raw["num_attention_heads"]),
        heads=tuple(raw.get("heads_kept", [raw["num_attention_heads"]] * layers)),
        units=tuple(raw.get("units_kept", [raw["intermediate_size"]] * layers)),
        labels=tuple(labels[str(i)] for i in range(len(labels))),
        max_tokens=raw["max_position_embeddings"],
        token_types=raw.get("type_vocab_size", 2),
        layer_norm_eps=raw.get("layer_norm_eps", 1e-12),
        dropout=raw.get("hidden_dropout_prob", 0.1),
    )


def config_json(config: BertConfig) -> bytes:
    """A Hugging Face `config.json` that `read_config` turns into the same shape again."""
    raw = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.hidden_size // config.head_size,
        "head_size": config.head_size,
        "heads_kept": list(config.heads),
        "intermediate_size": max(config.units),
        "units_kept": list(config.units),
        "id2label": {str(i): label for i, label in enumerate(config.labels)},
        "label2id": {label: i for i, label in enumerate(config.labels)},
        "max_position_embeddings": config.max_tokens,
        "type_vocab_size": config.token_types,
        "layer_norm_eps": config.layer_norm_eps,
        "hidden_dropout_prob": config.dropout,
    }
    return msgspec.json.format(msgspec.json.encode(raw), indent=2) + b"\n"
