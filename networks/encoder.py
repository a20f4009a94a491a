"""The one model that recipes compress and the torch backend runs: a BERT classifier in the packed layout.

A plain `torch.nn.Module` whose weights carry the names of a Hugging Face `BertForSequenceClassification`
checkpoint, so `model.safetensors` of such a checkpoint loads as it is. Every layer keeps its own number of heads
and of feed-forward units, which is what pruning changes.

Packed layout: requests are laid end to end in rows of tokens, and a token attends to those of its own segment only.
Segment 0 is padding. Devlin et al. 2018, arXiv:1810.04805, for the network.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from model_store.errors import UnsupportedCheckpoint
from networks.config import BertConfig, config_json, read_config


class BertEmbeddings(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_tokens, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.token_types, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, input_ids: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        summed = (
            self.word_embeddings(input_ids)
            + self.position_embeddings(position_ids)
            + self.token_type_embeddings(token_type_ids)
        )
        return self.dropout(self.LayerNorm(summed))  # type: ignore[no-any-return]


class BertSelfAttention(nn.Module):
    def __init__(self, config: BertConfig, heads: int) -> None:
        super().__init__()
        self.heads, self.head_size = heads, config.head_size
        width = heads * config.head_size
        self.query = nn.Linear(config.hidden_size, width)
        self.key = nn.Linear(config.hidden_size, width)
        self.value = nn.Linear(config.hidden_size, width)
        self.dropout_p = config.dropout

    def _split(self, projected: Tensor) -> Tensor:
        rows, tokens, _ = projected.shape
        return projected.view(rows, tokens, self.heads, self.head_size).transpose(1, 2)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (self._split(p(hidden)) for p in (self.query, self.key, self.value))
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=self.dropout_p if self.training else 0.0
        )  # (rows, heads, tokens, head_size)
        rows, _, tokens, _ = mixed.shape
        return mixed.transpose(1, 2).reshape(rows, tokens, self.heads * self.head_size)


class Residual(nn.Module):
    """Project back to the hidden size, add what came in, normalise."""

    def __init__(self, config: BertConfig, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, inner: Tensor, hidden: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(inner)) + hidden)  # type: ignore[no-any-return]


class BertLayer(nn.Module):
    def __init__(self, config: BertConfig, heads: int, units: int) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {
                "self": BertSelfAttention(config, heads),
                "output": Residual(config, heads * config.head_size),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.hidden_size, units)})
        self.output = Residual(config, units)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        hidden = self.attention["output"](self.attention["self"](hidden, mask), hidden)
        return self.output(functional.gelu(self.intermediate["dense"](hidden)), hidden)  # type: ignore[no-any-return]


class BertClassifier(nn.Module):
    """`forward` takes the five packed inputs and returns logits of shape (requests, labels)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        layers = [BertLayer(config, h, u) for h, u in zip(config.heads, config.units, strict=True)]
        self.bert = nn.ModuleDict(
            {
                "embeddings": BertEmbeddings(config),
                "encoder": nn.ModuleDict({"layer": nn.ModuleList(layers)}),
                "pooler": nn.ModuleDict({"dense": nn.Linear(config.hidden_size, config.hidden_size)}),
            }
        )
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_size, len(config.labels))

    def forward(
        self,
        input_ids: Tensor,  # (rows, tokens) int64
        position_ids: Tensor,  # (rows, tokens), from 0 in each segment
        token_type_ids: Tensor,  # (rows, tokens)
        segment_ids: Tensor,  # (rows, tokens), 0 is padding
        cls_index: Tensor,  # (requests,) into the rows laid end to end
    ) -> Tensor:
        # (rows, 1, tokens, tokens): True where attention is allowed. Padding attends to padding, so no row of the
        # softmax is empty.
        mask = (segment_ids.unsqueeze(-1) == segment_ids.unsqueeze(-2)).unsqueeze(1)
        hidden = self.bert["embeddings"](input_ids, position_ids, token_type_ids)
        for layer in self.bert["encoder"]["layer"]:  # type: ignore[index]
            hidden = layer(hidden, mask)
        first = hidden.reshape(-1, self.config.hidden_size).index_select(0, cls_index)
        pooled = torch.tanh(self.bert["pooler"]["dense"](first))  # type: ignore[index]
        return self.classifier(self.dropout(pooled))  # type: ignore[no-any-return]


PACKED_INPUTS = ("input_ids", "position_ids", "token_type_ids", "segment_ids", "cls_index")


def load_checkpoint(checkpoint: Path) -> BertClassifier:
    """The classifier in a checkpoint folder (`config.json`, `model.safetensors`), in eval mode, in fp32.

    Raises:
        UnsupportedCheckpoint: it is no BERT classifier, its weights are not safetensors, or names do not match.
    """
    model = BertClassifier(read_config(checkpoint))
    weights = checkpoint / "model.safetensors"
    if not weights.is_file():
        raise UnsupportedCheckpoint(
            f"{checkpoint.name!r} has no model.safetensors; save it again with save_pretrained(..., "
            "safe_serialization=True): pickled weights are not loaded."
        )
    try:
        # Old checkpoints carry the constant position indices as a weight.
        state = {k: v.float() for k, v in load_file(weights).items() if not k.endswith("position_ids")}
        model.load_state_dict(state)
    except SafetensorError as exc:
        raise UnsupportedCheckpoint(f"model.safetensors of {checkpoint.name!r} cannot be read ({exc}).") from exc
    except RuntimeError as exc:
        raise UnsupportedCheckpoint(
            f"The weights of {checkpoint.name!r} are not those of a fine-tuned BERT classifier: "
            f"{str(exc).splitlines()[-1].strip()}"
        ) from exc
    return model.eval()


def save_checkpoint(model: BertClassifier, checkpoint: Path) -> None:
    """Write `config.json` and `model.safetensors` that `load_checkpoint` reads."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "config.json").write_bytes(config_json(model.config))
    state = {name: weight.detach().contiguous() for name, weight in model.state_dict().items()}
    save_file(state, checkpoint / "model.safetensors")
