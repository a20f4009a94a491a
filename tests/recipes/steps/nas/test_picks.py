import re
from dataclasses import dataclass

import pytest

from model_store.errors import RecipeError
from recipes.steps.nas.picks import PATTERN, Dense, picked


@dataclass(frozen=True, slots=True)
class One:
    error: float
    parameters: int
    latency_s: float = 1.0


DENSE = Dense(error=0.08, parameters=1000, latency_s=2.0)
POINTS = [
    One(0.07, 1000, 2.0),
    One(0.085, 700, 1.6),
    One(0.09, 500, 1.1),
    One(0.09, 550, 0.9),
    One(0.11, 340, 0.8),
    One(0.2, 900, 0.7),
    One(0.3, 100, 0.5),
]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("error<=dense+1.0", One(0.09, 500, 1.1)),
        ("error<=dense+0.5", One(0.085, 700, 1.6)),
        ("error<=dense+3", One(0.11, 340, 0.8)),
        ("error<=dense+50", One(0.3, 100, 0.5)),
        ("largest", One(0.085, 700, 1.6)),
        ("parameters<=60%", One(0.09, 500, 1.1)),
        ("parameters<=50%", One(0.09, 500, 1.1)),
        ("parameters<=35%", One(0.11, 340, 0.8)),
        ("parameters<=99.9%", One(0.085, 700, 1.6)),
        ("latency<=50%", One(0.09, 550, 0.9)),
        ("latency<=40%", One(0.11, 340, 0.8)),
    ],
)
def test_a_pick_obeys_its_rule(rule: str, expected: One) -> None:
    assert re.fullmatch(PATTERN, rule)
    assert picked(rule, POINTS, DENSE) == expected
    assert picked(rule, POINTS[::-1], DENSE) == expected


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("error<=dense+0.1", "'error<=dense.0.1'; the nearest has an error 0.50 points above dense"),
        ("parameters<=5%", "'parameters<=5%'; the nearest has 10.0 % of dense's parameters"),
        ("latency<=10%", "'latency<=10%'; the nearest has 25.0 % of dense's latency"),
    ],
)
def test_a_rule_that_nothing_keeps_to_is_told_with_what_comes_nearest(rule: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        picked(rule, POINTS, DENSE)


@pytest.mark.parametrize("rule", ["largest", "error<=dense+1.0", "parameters<=60%"])
def test_what_is_as_large_as_dense_is_no_pick(rule: str) -> None:
    with pytest.raises(RecipeError, match="No sub-network that is smaller than the checkpoint"):
        picked(rule, POINTS[:1], DENSE)


@pytest.mark.parametrize("word", ["smallest", "error<=1.0", "parameters<=60", "latency<=50%x", "error<=dense+.5", ""])
def test_other_rules_are_not_read(word: str) -> None:
    assert not re.fullmatch(PATTERN, word)
