"""How large an encoder of a shape is, and how much it computes. Needs no torch."""

from networks.encoder.shape import EncoderShape


def layer_parameters(shape: EncoderShape, layer: int) -> int:
    """Weights of one layer: four projections of the attention, two of the feed-forward part, biases and two norms."""
    width, inner, units = shape.hidden_size, shape.heads[layer] * shape.head_size, shape.units[layer]
    attention = 3 * (width * inner + inner) + inner * width + width
    feed_forward = width * units + units + units * width + width
    return attention + feed_forward + 2 * 2 * width


def encoder_parameters(shape: EncoderShape) -> int:
    """Weights of all layers, without embeddings and head."""
    return sum(layer_parameters(shape, layer) for layer in range(shape.layers))


def all_parameters(shape: EncoderShape) -> int:
    """Weights of the whole classifier."""
    width, labels = shape.hidden_size, len(shape.labels)
    embeddings = (shape.vocab_size + shape.max_tokens + shape.token_types) * width + 2 * width
    head = width * width + width + labels * width + labels
    return embeddings + encoder_parameters(shape) + head


def macs_per_token(shape: EncoderShape, tokens: int) -> int:
    """Multiplications (with their additions) that all layers do for one token of a text of `tokens` tokens."""
    return sum(layer_macs_per_token(shape, layer, tokens) for layer in range(shape.layers))


def layer_macs_per_token(shape: EncoderShape, layer: int, tokens: int) -> int:
    """Those of one layer: its projections, and the token's scores with all others and their mixture."""
    inner = shape.heads[layer] * shape.head_size
    projections = 4 * shape.hidden_size * inner + 2 * shape.hidden_size * shape.units[layer]
    return projections + 2 * tokens * inner
