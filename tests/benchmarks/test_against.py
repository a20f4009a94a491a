import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.results import make_result, write_result
from benchmarks.measures.against import CLIENTS, ONE_CLIENT, START, regressions, summarized
from benchmarks.report import render

# Twelve pairs whose ratios scatter by a percent or two.
SCATTER = (0.98, 1.02, 0.99, 1.01, 1.0, 1.0, 0.985, 1.015, 0.995, 1.005, 0.99, 1.01)


def taken(ratio: dict[str, float]) -> list[dict[str, Any]]:
    old = {CLIENTS: 100.0, ONE_CLIENT: 8.0, START: 3.0}
    return [
        {"first": "old", "old": old, "new": {name: old[name] * ratio.get(name, 1.0) * scatter for name in old}}
        for scatter in SCATTER
    ]


def found(**ratio: float) -> list[str]:
    names = {"clients": CLIENTS, "one_client": ONE_CLIENT, "start": START}
    return regressions(
        make_result("against", {}, [], summarized(taken({names[key]: one for key, one in ratio.items()})))
    )


def test_what_is_as_before_or_better_is_no_regression() -> None:
    assert found() == []
    assert found(clients=1.5, one_client=0.5, start=0.5) == []


@pytest.mark.parametrize(
    ("ratio", "name"), [({"clients": 0.9}, CLIENTS), ({"one_client": 1.2}, ONE_CLIENT), ({"start": 1.2}, START)]
)
def test_what_is_clearly_worse_is_a_regression_and_named(ratio: dict[str, float], name: str) -> None:
    (regression,) = found(**ratio)
    assert regression.startswith(f"{name}: new over old is ")
    assert re.search(r"all of it (below 0\.97|above 1\.05)\.$", regression)


def test_what_is_a_little_worse_or_not_surely_worse_is_no_regression() -> None:
    assert found(clients=0.97, one_client=1.04, start=1.04) == []
    few = summarized(taken({CLIENTS: 0.5})[:5])
    assert regressions(make_result("against", {}, [], few)) == [], "five pairs show nothing"


def test_the_ratio_is_of_the_pairs_and_stands_on_the_page(tmp_path: Path) -> None:
    settings = {"old": "0" * 40, "new": "1" * 40}
    write_result(make_result("against", settings, [], summarized(taken({START: 1.1}))), tmp_path)
    page = render(tmp_path)
    assert "Commit 000000000000 against 111111111111" in page
    assert re.search(r"\| start, s \| 3 \| 3\.3 \| 1\.\d+ \| 1\.0\d\d-1\.1\d\d \|", page)
