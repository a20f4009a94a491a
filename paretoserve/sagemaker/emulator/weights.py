"""Which production variant a request goes to: smooth weighted round robin, as nginx spreads requests over its servers.

Each variant gains its weight at every turn; the one that has most answers, and pays the sum of all weights. Over any
sum of whole weights the counts are exact, and turns of one variant are spread as evenly as can be.
Source: nginx, commit 52327e0627f4 (2012), "Upstream: smooth weighted round-robin balancing".
"""

from paretoserve.sagemaker.emulator.description import ProductionVariant


class WeightedTurns:
    def __init__(self, variants: tuple[ProductionVariant, ...]) -> None:
        self._weights = {one.name: one.weight for one in variants}
        self._gained = dict.fromkeys(self._weights, 0.0)

    def next(self) -> str:
        """The name of the variant whose turn it is; one of weight 0 never has one."""
        for name, weight in self._weights.items():
            self._gained[name] += weight
        chosen = max((name for name in self._weights if self._weights[name]), key=self._gained.__getitem__)
        self._gained[chosen] -= sum(self._weights.values())
        return chosen
