"""Trace a fine-tuned BERT for `code/inference.py`: `python trace.py CHECKPOINT FOLDER`."""

import shutil
import sys
from pathlib import Path

import torch
from transformers import BertForSequenceClassification


class Logits(torch.nn.Module):
    """The classifier with tensors in and one tensor out, as a trace wants it."""

    def __init__(self, model: BertForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits


def main(checkpoint: Path, folder: Path) -> None:
    model = BertForSequenceClassification.from_pretrained(checkpoint, attn_implementation="eager").eval()
    ids = torch.ones(2, 8, dtype=torch.long)
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    traced = torch.jit.trace(Logits(model), (ids, mask, torch.zeros_like(ids)), check_trace=False)
    folder.mkdir(parents=True, exist_ok=True)
    torch.jit.save(traced, folder / "model.pt")
    shutil.copy(checkpoint / "tokenizer.json", folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
