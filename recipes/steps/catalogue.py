"""The steps that a recipe may be made of, by the name that it spells them with."""

from recipes.steps.base import Step
from recipes.steps.qat import Qat

STEPS: dict[str, type[Step]] = {
    # One line each, in the order of their names.
    Qat.name: Qat,
}
