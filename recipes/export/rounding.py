"""How INT8 rounds: activations to unsigned bytes with one range for a tensor, weights to signed ones by output unit.

Jacob et al. 2018, arXiv:1712.05877.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LARGEST_ACTIVATION = 255

# Of a weight's byte. Processors without VNNI add two products of bytes in 16 bits, which saturate with weights of twice
# that; the answers of the same file would depend on the processor.
LARGEST_WEIGHT = 63

SMALLEST = 1e-12
"""So that a tensor or a weight that is zero throughout has a scale to divide by."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a tensor takes; zero is always among them, so that it is represented exactly."""

    low: float = 0.0
    high: float = 0.0

    def widened(self, values: Any) -> "Range":
        """The range with these values, an array or a tensor, too."""
        return Range(min(self.low, float(values.min())), max(self.high, float(values.max())))

    @property
    def scale(self) -> np.float32:
        return np.float32(max(self.high - self.low, SMALLEST) / LARGEST_ACTIVATION)

    @property
    def zero_point(self) -> np.uint8:
        return np.uint8(round(-self.low / float(self.scale)))


def rounded(
    weight: Floats, axis: int, largest_weight: int = LARGEST_WEIGHT, least: Floats | float = 0.0
) -> tuple[NDArray[np.int8], Floats]:
    """`weight` (a matrix) as signed bytes, and the scales, one per index of `axis`.

    The largest byte stands for `least` at least, a number or one per index.
    """
    largest = np.maximum(np.abs(weight).max(axis=1 - axis, keepdims=True), least)
    scales = np.maximum(largest, SMALLEST).astype(np.float32) / np.float32(largest_weight)
    return np.rint(weight / scales).astype(np.int8), scales
