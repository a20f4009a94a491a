"""The one model that recipes compress and the torch backend runs: an encoder with a head, in the packed layout.

A plain `torch.nn.Module` whose weights carry the names of a Hugging Face `BertForSequenceClassification`
checkpoint. Every layer keeps its own number of heads and of feed-forward units, which is what pruning changes.

Packed layout: requests are laid end to end in rows of tokens, and a token attends to those of its own segment only.
Segment 0 is padding. Devlin et al. 2018, arXiv:1810.04805, for the network.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from networks.encoder.shape import EncoderShape

PACKED_INPUTS = ("input_ids", "position_ids", "token_type_ids", "segment_ids", "cls_index")

POSITIONS = "bert.embeddings.position_embeddings.weight"

Weights = dict[str, Tensor]


class Embeddings(nn.Module):
    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.position_embeddings = nn.Embedding(shape.max_tokens, shape.hidden_size)
        self.token_type_embeddings = nn.Embedding(shape.token_types, shape.hidden_size)
        self.LayerNorm = nn.LayerNorm(shape.hidden_size, shape.layer_norm_eps)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, input_ids: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        summed = (
            self.word_embeddings(input_ids)
            + self.position_embeddings(position_ids)
            + self.token_type_embeddings(token_type_ids)
        )
        return self.dropout(self.LayerNorm(summed))  # type: ignore[no-any-return]


class SelfAttention(nn.Module):
    def __init__(self, shape: EncoderShape, heads: int) -> None:
        super().__init__()
        self.heads, self.head_size = heads, shape.head_size
        width = heads * shape.head_size
        self.query = nn.Linear(shape.hidden_size, width)
        self.key = nn.Linear(shape.hidden_size, width)
        self.value = nn.Linear(shape.hidden_size, width)
        self.dropout_p = shape.dropout

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

    def __init__(self, shape: EncoderShape, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, shape.hidden_size)
        self.LayerNorm = nn.LayerNorm(shape.hidden_size, shape.layer_norm_eps)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, inner: Tensor, hidden: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(inner)) + hidden)  # type: ignore[no-any-return]


class Layer(nn.Module):
    def __init__(self, shape: EncoderShape, heads: int, units: int) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {
                "self": SelfAttention(shape, heads),
                "output": Residual(shape, heads * shape.head_size),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(shape.hidden_size, units)})
        self.output = Residual(shape, units)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        hidden = self.attention["output"](self.attention["self"](hidden, mask), hidden)
        return self.output(functional.gelu(self.intermediate["dense"](hidden)), hidden)  # type: ignore[no-any-return]


class PackedEncoder(nn.Module):
    """`forward` takes the five packed inputs and returns logits of shape (requests, labels)."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        layers = [Layer(shape, h, u) for h, u in zip(shape.heads, shape.units, strict=True)]
        self.bert = nn.ModuleDict(
            {
                "embeddings": Embeddings(shape),
                "encoder": nn.ModuleDict({"layer": nn.ModuleList(layers)}),
                "pooler": nn.ModuleDict({"dense": nn.Linear(shape.hidden_size, shape.hidden_size)}),
            }
        )
        self.dropout = nn.Dropout(shape.dropout)
        self.classifier = nn.Linear(shape.hidden_size, len(shape.labels))

    def forward(
        self,
        input_ids: Tensor,  # (rows, tokens) int64
        position_ids: Tensor,  # (rows, tokens), from 0 in each segment
        token_type_ids: Tensor,  # (rows, tokens)
        segment_ids: Tensor,  # (rows, tokens), 0 is padding
        cls_index: Tensor,  # (requests,) into the rows laid end to end
    ) -> Tensor:
        hidden = self.hidden_states(input_ids, position_ids, token_type_ids, segment_ids)
        return self._head(hidden, cls_index)

    def hidden_states(
        self, input_ids: Tensor, position_ids: Tensor, token_type_ids: Tensor, segment_ids: Tensor
    ) -> Tensor:
        """(rows, tokens, hidden_size), after the last layer."""
        # (rows, 1, tokens, tokens): True where attention is allowed. Padding attends to padding, so no row of the
        # softmax is empty.
        mask = (segment_ids.unsqueeze(-1) == segment_ids.unsqueeze(-2)).unsqueeze(1)
        hidden = self.bert["embeddings"](input_ids, position_ids, token_type_ids)
        for layer in self.bert["encoder"]["layer"]:  # type: ignore[index]
            hidden = layer(hidden, mask)
        return hidden  # type: ignore[no-any-return]

    def _head(self, hidden: Tensor, cls_index: Tensor) -> Tensor:
        """(requests, labels): what is read at the first token of each text."""
        first = hidden.reshape(-1, self.shape.hidden_size).index_select(0, cls_index)
        pooled = torch.tanh(self.bert["pooler"]["dense"](first))  # type: ignore[index]
        return self.classifier(self.dropout(pooled))  # type: ignore[no-any-return]
