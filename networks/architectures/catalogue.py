"""The architectures whose published checkpoints are read, by the `model_type` of their `config.json`."""

from networks.architectures.base import Architecture
from networks.architectures.bert import BERT

ARCHITECTURES: dict[str, Architecture] = {
    "bert": BERT,
}
