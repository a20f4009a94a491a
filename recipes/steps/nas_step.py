"""`nas`: the heads, units and layers that are worth their place, found by a search over one super-network."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from recipes.data.validation import with_validation_share
from recipes.steps.base import StepInput, parameter, word
from recipes.steps.nas.picks import DESCRIBED, PATTERN


@dataclass(frozen=True, slots=True)
class Nas:
    """`passes` train the super-network, `recovery` the sub-network that is cut out of it; both are passes over the
    rows. The search looks at so many `evaluations` per sampler, and is repeated with so many `seeds`. At least
    `choosing` per cent of the rows are chosen by, and not learnt."""

    name: ClassVar[str] = "nas"
    uses_latency: ClassVar[bool] = True

    pick: str = word(PATTERN, DESCRIBED)
    passes: float = parameter(0.001, 1000, default=2.0)
    recovery: float = parameter(0.001, 1000, default=2.0)
    evaluations: int = parameter(2, 100_000, default=120)
    seeds: int = parameter(1, 100, default=1)
    choosing: float = parameter(0, 90, default=0.0)

    def run(self, given: StepInput) -> Path:
        # The search brings Optuna and matplotlib along, which only this step needs.
        from recipes.steps.nas_run import Order, search_and_cut

        train, validation = with_validation_share(given.train, given.validation, self.choosing / 100, given.seed)
        order = Order(self.pick, self.passes, self.recovery, self.evaluations, self.seeds)
        return search_and_cut(replace(given, train=train, validation=validation), order)
