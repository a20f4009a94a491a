"""What makes variants: one file per recipe, by name."""

from recipes import bf16 as _bf16
from recipes import dense as _dense
from recipes import int8 as _int8
from recipes.base import Recipe

RECIPES: dict[str, Recipe] = {"dense": _dense.dense, "bf16": _bf16.bf16, "int8": _int8.int8}

WRITTEN: dict[str, tuple[str, ...]] = {
    "dense": tuple(_dense.WRITERS),
    "bf16": tuple(_bf16.WRITERS),
    "int8": tuple(_int8.WRITERS),
}
"""The backends that each recipe can write an artifact for."""
