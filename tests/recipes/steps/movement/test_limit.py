import re

import pytest

from recipes.steps.movement.limit import PATTERN, Budget, Pull, read_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("macs<=50%", Budget("macs", 0.5)),
        ("parameters<=62.5%", Budget("parameters", 0.625)),
        ("latency<=5%", Budget("latency", 0.05)),
        ("lambda=0.05", Pull(0.05)),
    ],
)
def test_a_limit_is_a_budget_or_a_pull(text: str, limit: Budget | Pull) -> None:
    assert re.fullmatch(PATTERN, text)
    assert read_limit(text) == limit


@pytest.mark.parametrize("text", ["macs<=0%", "macs<=100%", "macs<=50", "macs=50%", "bytes<=50%", "lambda", "lambda=x"])
def test_no_other_word_is_a_limit(text: str) -> None:
    assert not re.fullmatch(PATTERN, text)
