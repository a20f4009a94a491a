"""The precisions that variants are computed in."""

from typing import Literal

Precision = Literal["fp32", "bf16", "int8"]

PRECISIONS: dict[str, Precision] = {"dense": "fp32", "bf16": "bf16", "int8": "int8"}
"""By the word that a recipe ends in."""
