"""BERT (Devlin et al. 2018, arXiv:1810.04805). The encoder calls its weights as a `BertForSequenceClassification` does,
and is saved as one, with two lists more in `config.json` for layers that differ: `heads_kept` and `units_kept`.
"""

from typing import Any

from networks.architectures.base import Architecture, PublishedConfig
from networks.encoder.shape import EncoderShape


def read_shape(config: PublishedConfig) -> EncoderShape:
    """The shape that `config.json` states; without the lists all layers have the same heads and units."""
    config.require(hidden_act="gelu", position_embedding_type="absolute")
    layers = config["num_hidden_layers"]
    # Checkpoints with the default two labels leave them out.
    labels = config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    return EncoderShape(
        vocab_size=config["vocab_size"],
        hidden_size=config["hidden_size"],
        head_size=config.get("head_size", config["hidden_size"] // config["num_attention_heads"]),
        heads=tuple(config.get("heads_kept", [config["num_attention_heads"]] * layers)),
        units=tuple(config.get("units_kept", [config["intermediate_size"]] * layers)),
        labels=tuple(labels[str(i)] for i in range(len(labels))),
        max_tokens=config["max_position_embeddings"],
        token_types=config.get("type_vocab_size", 2),
        layer_norm_eps=config.get("layer_norm_eps", 1e-12),
        dropout=config.get("hidden_dropout_prob", 0.1),
    )


def published_config(shape: EncoderShape) -> dict[str, Any]:
    """A `config.json` that `read_shape` turns into the same shape again."""
    return {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.hidden_size // shape.head_size,
        "head_size": shape.head_size,
        "heads_kept": list(shape.heads),
        "intermediate_size": max(shape.units),
        "units_kept": list(shape.units),
        "id2label": {str(i): label for i, label in enumerate(shape.labels)},
        "label2id": {label: i for i, label in enumerate(shape.labels)},
        "max_position_embeddings": shape.max_tokens,
        "type_vocab_size": shape.token_types,
        "layer_norm_eps": shape.layer_norm_eps,
        "hidden_dropout_prob": shape.dropout,
    }


def encoder_name(published: str) -> str | None:
    # Old checkpoints carry the constant position indices as a weight; those of the pretraining have its head, `cls`.
    if published.endswith("position_ids") or published.startswith("cls."):
        return None
    # Converted from TensorFlow, a norm's weights are called otherwise.
    name = published.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    # Saved without a head, an encoder has no prefix.
    return f"bert.{name}" if name.startswith(("embeddings.", "encoder.", "pooler.")) else name


BERT = Architecture("bert", read_shape, encoder_name)
