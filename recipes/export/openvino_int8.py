"""Static INT8 of an IR, by NNCF."""

import logging
import os
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from io import StringIO

import openvino

from recipes.data.tokens import Packed
from recipes.work.progress import Progress


def quantize_ir(
    model: openvino.Model, inputs: Sequence[Packed], report: Progress, in_fp32: Collection[str] = ()
) -> openvino.Model:
    """The static INT8 form of `model`, with ranges measured on `inputs`; `report` counts its own share, 0 to 1.

    The products named in `in_fp32` stay as they are.

    NNCF's post-training quantization for transformers: products of the attention too, SmoothQuant (Xiao et al.
    2022, arXiv:2211.10438) against outliers, and bias correction.
    """
    # NNCF reports its use over the network unless it believes to run in its own CI.
    os.environ.setdefault("NNCF_CI", "1")
    import nncf

    # It reads all inputs once for SmoothQuant and once for the ranges.
    total = 2 * len(inputs)
    seen = 0

    def counted(packed: Packed) -> Packed:
        nonlocal seen
        seen += 1
        report("Calibrating for OpenVINO", min(seen / total, 1.0))
        return packed

    nncf.set_log_level(logging.ERROR)
    # Its progress bars go to standard output and have no switch.
    with redirect_stdout(StringIO()):
        return nncf.quantize(
            model,
            nncf.Dataset(inputs, counted),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(inputs),
            ignored_scope=nncf.IgnoredScope(names=sorted(in_fp32)),
            # Weights of seven bits: with eight, products saturate on processors without VNNI.
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
        )
