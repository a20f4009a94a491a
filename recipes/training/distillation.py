"""A student learns from a teacher's answers beside the labels.

Hinton et al. 2015, arXiv:1503.02531.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from recipes.data.checkpoint import checkpoint_hashes
from recipes.data.tokenizer import write_tokenizer
from recipes.data.tokens import load_tokenizer
from recipes.training.device import training_device
from recipes.training.evaluation import Evaluation
from recipes.work.folder import fingerprint, writing
from recipes.work.progress import Progress, part_of, renamed

NO_LABEL = -100
"""The target of a row without a label, which only the teacher says something about."""

# Of rows; a kill loses the answers to so many.
_PART = 4096


@dataclass(frozen=True, slots=True)
class Distillation:
    """The loss is `(1 - weight) * cross entropy + weight * temperature² * KL(teacher || student)`, where both
    distributions are softened by `temperature`."""

    weight: float = 0.9
    temperature: float = 2.0

    def loss(self, logits: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
        """The mean of a batch: `logits` and the teacher's, `taught`, are (texts, labels), `targets` (texts,).

        Of a text whose target is NO_LABEL only the teacher's part counts.
        """
        hard = functional.cross_entropy(logits, targets, ignore_index=NO_LABEL, reduction="sum") / len(targets)
        return (1 - self.weight) * hard + self.weight * self.soft_loss(logits, taught)

    def soft_loss(self, logits: Tensor, taught: Tensor) -> Tensor:
        """The part that asks the teacher only, for texts without labels."""
        student, teacher = (functional.log_softmax(one / self.temperature, dim=-1) for one in (logits, taught))
        return self.temperature**2 * functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


def teacher_logits(teacher: Path, rows: Sequence[Row], max_tokens: int, folder: Path, report: Progress) -> Tensor:
    """What the checkpoint `teacher` answers for each row, (rows, labels): computed once and kept in `folder`.

    A teacher draws nothing at random, so its answers are the same in every pass over the rows. A kill loses little.
    """
    place = folder / f"teacher.{fingerprint(checkpoint_hashes(teacher), rows, max_tokens)}"
    parts = {place / f"rows-{start}.safetensors": rows[start : start + _PART] for start in range(0, len(rows), _PART)}
    if not all(part.is_file() for part in parts):
        place.mkdir(parents=True, exist_ok=True)
        _ask(teacher, parts, max_tokens, report)
    return torch.cat([load_file(part)["logits"] for part in parts])


def _ask(teacher: Path, parts: Mapping[Path, Sequence[Row]], max_tokens: int, report: Progress) -> None:
    """Write the teacher's answers to some rows into each file that is not there yet."""
    encoder = load_checkpoint(teacher).to(training_device())
    with TemporaryDirectory() as folder:
        tokenizer = load_tokenizer(write_tokenizer(teacher, Path(folder)), min(max_tokens, encoder.shape.max_tokens))
    for i, (file, rows) in enumerate(parts.items()):
        if file.is_file():
            continue
        part = part_of(renamed(report, "asking the teacher"), i, len(parts))
        logits = Evaluation.of(tokenizer, rows).logits(encoder, part)
        with writing(file) as partial:
            save_file({"logits": logits}, partial)
