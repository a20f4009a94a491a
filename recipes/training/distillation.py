"""A student learns from a teacher's answers beside the labels.

Hinton et al. 2015, arXiv:1503.02531.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from model_store.manifest import sha256_of
from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from recipes.data.tokenizer import write_tokenizer
from recipes.data.tokens import load_tokenizer
from recipes.training.device import training_device
from recipes.training.evaluation import Evaluation
from recipes.work.folder import fingerprint
from recipes.work.progress import Progress


@dataclass(frozen=True, slots=True)
class Distillation:
    """The loss is `(1 - weight) * cross entropy + weight * temperature² * KL(teacher || student)`, where both
    distributions are softened by `temperature`."""

    weight: float = 0.9
    temperature: float = 2.0

    def loss(self, logits: Tensor, targets: Tensor, taught: Tensor) -> Tensor:
        """Of a batch: `logits` and the teacher's, `taught`, are (texts, labels), `targets` (texts,)."""
        hard = functional.cross_entropy(logits, targets)
        return (1 - self.weight) * hard + self.weight * self.soft_loss(logits, taught)

    def soft_loss(self, logits: Tensor, taught: Tensor) -> Tensor:
        """The part that asks the teacher only, for texts without labels."""
        student, teacher = (functional.log_softmax(one / self.temperature, dim=-1) for one in (logits, taught))
        return self.temperature**2 * functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


def teacher_logits(teacher: Path, rows: Sequence[Row], max_tokens: int, folder: Path, report: Progress) -> Tensor:
    """What the checkpoint `teacher` answers for each row, (rows, labels): computed once and kept in `folder`.

    A teacher draws nothing at random, so its answers are the same in every pass over the rows.
    """
    name = fingerprint(sha256_of(teacher / "model.safetensors"), rows, max_tokens)
    file = folder / f"teacher.{name}" / "logits.safetensors"
    if not file.is_file():
        encoder = load_checkpoint(teacher).to(training_device())
        file.parent.mkdir(parents=True, exist_ok=True)
        tokenizer = load_tokenizer(write_tokenizer(teacher, file.parent), min(max_tokens, encoder.shape.max_tokens))
        logits = Evaluation.of(tokenizer, rows).logits(encoder, lambda _, done: report("asking the teacher", done))
        partial = file.with_suffix(".partial")
        save_file({"logits": logits}, partial)
        partial.replace(file)
    return load_file(file)["logits"]
