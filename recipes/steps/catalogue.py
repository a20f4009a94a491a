"""The steps that a recipe may be made of, by the name that it spells them with."""

from recipes.steps.base import Step
from recipes.steps.movement_pruning import Movement

STEPS: dict[str, type[Step]] = {
    # One line each, in the order of their names.
    Movement.name: Movement,
}
