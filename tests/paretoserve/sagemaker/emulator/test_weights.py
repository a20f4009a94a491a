from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from paretoserve.sagemaker.emulator.description import ProductionVariant
from paretoserve.sagemaker.emulator.weights import WeightedTurns


def _turns(count: int, **weights: float) -> list[str]:
    turns = WeightedTurns(tuple(ProductionVariant(name, weight) for name, weight in weights.items()))
    return [turns.next() for _ in range(count)]


def test_turns_of_one_variant_are_spread_as_nginx_spreads_them() -> None:
    assert "".join(_turns(7, a=5, b=1, c=1)) == "aabacaa"


def test_a_variant_without_weight_has_no_turn() -> None:
    assert Counter(_turns(100, a=0, b=1)) == {"b": 100}


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any), st.integers(1, 4))
def test_counts_are_exact_over_any_sum_of_weights(weights: list[int], rounds: int) -> None:
    named = {f"v{number}": float(weight) for number, weight in enumerate(weights)}
    counts = Counter(_turns(sum(weights) * rounds, **named))
    assert counts == {name: weight * rounds for name, weight in named.items() if weight}
