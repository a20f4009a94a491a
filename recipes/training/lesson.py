"""What an encoder is taught: labelled rows, the teacher's answers to them, and rows to see how far it is."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from networks.encoder.modules import PackedEncoder
from recipes.training.batches import RowBatch, RowBatches
from recipes.training.device import device_of
from recipes.training.distillation import Distillation
from recipes.training.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Lesson:
    """`taught` are the teacher's logits, (rows, labels), in the order of the rows; without them labels alone teach."""

    batches: RowBatches
    validation: Evaluation
    taught: Tensor | None = None
    distillation: Distillation = Distillation()

    def steps(self, passes: float) -> int:
        """The steps of so many passes over the rows, one at least."""
        return max(1, round(passes * self.batches.per_pass))

    def steps_of_part(self, parts: int) -> int:
        """The steps of one of so many parts of a pass, rounded up: a last part is never of a step or two."""
        return -(-self.batches.per_pass // parts)

    def loss(self, encoder: PackedEncoder, batch: RowBatch) -> Tensor:
        on_device = batch.to(device_of(encoder))
        return self.loss_of_logits(encoder(**on_device.inputs), on_device)

    def loss_of_logits(self, logits: Tensor, batch: RowBatch) -> Tensor:
        """Of logits (texts, labels) that were computed for a batch in some other way."""
        if self.taught is None:
            return functional.cross_entropy(logits.float(), batch.targets)
        taught = self.taught[batch.rows].to(logits.device)
        return self.distillation.loss(logits.float(), batch.targets, taught)

    def accuracy(self, encoder: PackedEncoder) -> float:
        """On the rows to choose by, 0 to 1."""
        return self.validation.accuracy(encoder)
