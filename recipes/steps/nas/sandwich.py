"""How the weights of all sub-networks are trained at once, so that each of them answers well.

The sandwich rule with in-place distillation (Yu and Huang 2019, arXiv:1903.05134; for encoders Klein et al. 2024,
arXiv:2405.02267): of every batch learn the whole, the smallest and some drawn at random. The whole learns from the
teacher, the others from the whole.
"""

import torch
from torch import Tensor

from networks.encoder.modules import PackedEncoder
from networks.encoder.prefix import prefix_logits
from recipes.steps.nas.space import Space
from recipes.training.batches import RowBatch
from recipes.training.device import device_of
from recipes.training.lesson import Lesson


def sandwich_loss(whole: PackedEncoder, batch: RowBatch, lesson: Lesson, space: Space, drawn: int) -> Tensor:
    """The mean loss of the whole, the smallest and `drawn` others, one of each range of sizes."""
    given = batch.to(device_of(whole))
    logits = whole(**given.inputs)
    losses, target = [lesson.loss_of_logits(logits, given)], logits.detach().float()
    dice = torch.rand(drawn, space.numbers).tolist()
    others = [space.drawn(numbers, i / drawn, (i + 1) / drawn) for i, numbers in enumerate(dice)]
    for one in (space.smallest, *others):
        answers = prefix_logits(whole, one, given.inputs)
        losses.append(lesson.distillation.loss(answers.float(), given.targets, target))
    return torch.stack(losses).mean()
