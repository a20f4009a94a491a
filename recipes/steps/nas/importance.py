"""Which heads, units and layers of an encoder matter most.

Heads and units: each has a factor of 1 behind it, and what is measured is the mean over texts of a squared gradient by
that factor, in one pass over some rows. With the gradient of the loss this is the factor's Fisher information (Kwon et
al. 2022, arXiv:2204.09656). Here it is that of the margin between the two best labels: a fine-tuned encoder has next to
no loss on most rows, which then say nothing. On SST-2, halves chosen by the margin answered closer to the whole.
Layers: that one is dropped next without which the answers change least, which is tried out.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor, nn

from networks.encoder.modules import Layer, PackedEncoder
from networks.encoder.prefix import LayerPrefix, shared_prefix
from networks.encoder.slicing import KeptLayer, sliced
from recipes.training.batches import RowBatch
from recipes.training.device import device_of
from recipes.training.distillation import Distillation
from recipes.training.evaluation import Evaluation


class Origin(msgspec.Struct, frozen=True):
    """What was found of the checkpoint before: `error` is its share of wrong answers on the rows to choose by, and
    `chance` the share of one who always gives the most frequent label there."""

    drop_order: tuple[int, ...]
    error: float
    chance: float


@dataclass(frozen=True, slots=True)
class LayerImportance:
    """Of one layer, (heads,) and (units,): more is more important."""

    heads: Tensor
    units: Tensor


def importance_of(encoder: PackedEncoder, batches: Iterable[RowBatch]) -> list[LayerImportance]:
    """How important the heads and units of each layer are for these rows."""
    layers: list[Layer] = list(encoder.bert["encoder"]["layer"])  # type: ignore[index]
    modules: list[nn.Module] = []
    for layer in layers:
        modules += [layer.get_submodule("attention.output.dense"), layer.output.dense]
    shape, device = encoder.shape, device_of(encoder)
    sizes = [size for pair in zip(shape.heads, shape.units, strict=True) for size in pair]
    totals = [torch.zeros(size, device=device) for size in sizes]
    for batch in batches:
        for total, gradient in zip(totals, _gradients(encoder, modules, batch), strict=True):
            # A head is several inputs of its projection, a unit is one.
            total += gradient.reshape(len(gradient), len(total), -1).sum(2).square().sum(0)
    return [LayerImportance(*pair) for pair in zip(totals[::2], totals[1::2], strict=True)]


def _gradients(encoder: PackedEncoder, modules: list[nn.Module], batch: RowBatch) -> list[Tensor]:
    """Of each text's margin by a factor at each input of `modules`, (texts, inputs)."""
    factors: list[Tensor] = []

    def multiply(module: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        inner = given[0]
        factors.append(torch.ones(len(inner), 1, inner.shape[2], device=inner.device, requires_grad=True))
        return (inner * factors[-1],)

    given = batch.to(device_of(encoder))
    with ExitStack() as hooks:
        for module in modules:
            hooks.enter_context(module.register_forward_pre_hook(multiply))
        best, *second = encoder(**given.inputs).topk(min(2, len(encoder.shape.labels))).values.unbind(1)
    margins = best - sum(second)
    return [gradient.squeeze(1) for gradient in torch.autograd.grad(margins.sum(), factors)]


def in_order(encoder: PackedEncoder, importance: list[LayerImportance]) -> PackedEncoder:
    """The same encoder, whose heads and units are ordered by importance; it answers what it answered."""

    def order(values: Tensor) -> tuple[int, ...]:
        return tuple(values.argsort(descending=True, stable=True).tolist())

    kept = [KeptLayer(layer, order(one.heads), order(one.units)) for layer, one in enumerate(importance)]
    return sliced(encoder, kept)


def drop_order(encoder: PackedEncoder, texts: Evaluation) -> tuple[int, ...]:
    """All layers in the order in which they are dropped."""
    sizes = enumerate(zip(encoder.shape.heads, encoder.shape.units, strict=True))
    left = [LayerPrefix(layer, heads, units) for layer, (heads, units) in sizes]
    answers, distance = texts.logits(encoder), Distillation(temperature=1.0)
    dropped = []
    while len(left) > 1:
        found = []
        for layer in left:
            rest = tuple(one for one in left if one != layer)
            change = distance.soft_loss(texts.logits(shared_prefix(encoder, rest)), answers)
            found.append((change.item(), layer.layer))
        dropped.append(min(found)[1])
        left = [one for one in left if one.layer != dropped[-1]]
    return (*dropped, left[0].layer)
