"""Train a checkpoint with the rounding of INT8, so that what is exported afterwards loses less of its accuracy."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PackedEncoder
from recipes.data.tokens import load_tokenizer
from recipes.export.calibration import calibration_inputs
from recipes.steps.base import StepInput, parameter
from recipes.steps.recovery import Recovery, recover
from recipes.training.loop import Hooks
from recipes.training.rounding import input_ranges, linear_modules, rounded_encoder

LEARNING_RATE = 2e-5


@dataclass(frozen=True, slots=True)
class Qat:
    """Quantization-aware training: `passes` over the rows, distilled from the checkpoint that the recipe began with.

    The result is a checkpoint in fp32. Ranges of activations are observed before and stay; weights that are zero
    stay zero.
    """

    name: ClassVar[str] = "qat"
    uses_latency: ClassVar[bool] = False

    passes: float = parameter(0.01, 100, 1.0)

    def run(self, given: StepInput) -> Path:
        encoder = load_checkpoint(given.checkpoint)
        tokenizer = load_tokenizer(given.tokenizer, given.max_tokens)
        texts = calibration_inputs(tokenizer, [(row.text, row.text_pair) for row in given.train.rows])
        student = rounded_encoder(_without_dropout(encoder), input_ranges(encoder, texts))
        masks = _masks(student)
        hooks: Hooks[PackedEncoder] = Hooks(after_step=lambda step: _keep_zeros(student, masks))
        recover(student, given, Recovery(self.passes, LEARNING_RATE), hooks)
        encoder.load_state_dict(student.state_dict())
        save_checkpoint(encoder, given.work / "trained")
        return given.work / "trained"


def _without_dropout(encoder: PackedEncoder) -> PackedEncoder:
    """What is dropped makes the rest larger, out of the ranges; the rounding is noise enough."""
    student = PackedEncoder(replace(encoder.shape, dropout=0.0))
    student.load_state_dict(encoder.state_dict())
    return student


def _masks(encoder: PackedEncoder) -> dict[str, Tensor]:
    """For the weight of each linear layer, where it is not zero; of those that have zeros."""
    names = [f"{module}.weight" for modules in linear_modules(encoder.shape).values() for module in modules]
    masks = {name: encoder.get_parameter(name) != 0 for name in names}
    return {name: mask for name, mask in masks.items() if not mask.all()}


def _keep_zeros(encoder: PackedEncoder, masks: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, mask in masks.items():
            weight = encoder.get_parameter(name)
            weight.mul_(mask.to(weight.device))
