"""What makes variants: one file per recipe, by name."""

from model_store.recipes.base import Recipe
from model_store.recipes.dense import dense
from model_store.recipes.int8 import int8

RECIPES: dict[str, Recipe] = {"dense": dense, "int8": int8}
