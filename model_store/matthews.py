"""The correlation of Matthews between what was answered and what is right."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable

MATTHEWS = "Matthews correlation"
"""As reports call it."""


def matthews(pairs: Iterable[tuple[Hashable, Hashable]]) -> float:
    """Of pairs of an answer and what is right: 1 where all are the same, 0 where chance would do as well.

    0 where all answers, or all that is right, are the same. Of two classes that of Matthews 1975
    (doi:10.1016/0005-2795(75)90109-9), from -1; of more that of Gorodkin 2004 (doi:10.1016/j.compbiolchem.2004.09.006).
    """
    counted = Counter(pairs)
    rows, right = counted.total(), sum(count for (answer, target), count in counted.items() if answer == target)
    answers, targets = _sums(counted, 0), _sums(counted, 1)
    covariance = right * rows - sum(answers[one] * targets[one] for one in answers)
    answered, expected = (rows**2 - sum(count**2 for count in sums.values()) for sums in (answers, targets))
    return covariance / math.sqrt(answered * expected) if answered and expected else 0.0


def _sums(counted: "Counter[tuple[Hashable, Hashable]]", place: int) -> "Counter[Hashable]":
    """How often each class is found at a place of the pairs."""
    found: Counter[Hashable] = Counter()
    for pair, count in counted.items():
        found[pair[place]] += count
    return found
