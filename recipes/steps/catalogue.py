"""The steps that a recipe may be made of, by the name that it spells them with."""

from recipes.steps.base import Step
from recipes.steps.layers import Layers
from recipes.steps.movement_pruning import Movement
from recipes.steps.nas_step import Nas
from recipes.steps.qat import Qat
from recipes.steps.sparse import Sparse

STEPS: dict[str, type[Step]] = {
    # One line each, in the order of their names.
    Layers.name: Layers,
    Movement.name: Movement,
    Nas.name: Nas,
    Qat.name: Qat,
    Sparse.name: Sparse,
}
