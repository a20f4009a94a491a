"""SageMaker's published toolkits and ours side by side: the page says what differs, and no working script is broken."""

import json
from pathlib import Path

import pytest

from tests.contract.toolkits.cases import CASES, Case
from tests.contract.toolkits.running import OBSERVED, Outcome, published, separately
from tests.contract.toolkits.table import BEGIN, END, PAGE, answered_by_us, is_answer, render, same, value_of

Observed = dict[str, dict[str, Outcome]]

# What the toolkits answer and we do not, on purpose: the page says so.
ON_PURPOSE = {"`predict_fn`: not a number", "NPY with pickled objects"}


@pytest.fixture(scope="module")
def observed() -> Observed:
    found: Observed = json.loads(OBSERVED.read_text())
    return found


@pytest.fixture(scope="module")
def ours() -> dict[str, Outcome]:
    return answered_by_us()


def test_there_are_scripts_of_all_kinds(observed: Observed) -> None:
    assert len(CASES) >= 25
    assert [case.name for case in CASES] == list(observed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_script_that_works_on_a_toolkit_works_here(case: Case, observed: Observed, ours: dict[str, Outcome]) -> None:
    answers = [one for one in observed[case.name].values() if is_answer(one)]
    values = [value_of(one) for one in answers]
    works = is_answer(ours[case.name]) and value_of(ours[case.name]) in values
    assert works is (case.name not in ON_PURPOSE) or not answers


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_differs_has_a_reason(case: Case, observed: Observed, ours: dict[str, Outcome]) -> None:
    differs = not all(same(one, ours[case.name]) for one in observed[case.name].values())
    assert bool(case.why) is differs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_answer_has_a_traceback(case: Case, ours: dict[str, Outcome]) -> None:
    assert "Traceback" not in ours[case.name]["body"]
    assert str(Path.cwd()) not in ours[case.name]["body"]


def test_the_page_shows_what_was_observed(observed: Observed, ours: dict[str, Outcome]) -> None:
    shown = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    assert shown == render(observed, ours)


def test_a_difference_would_be_noticed(tmp_path: Path) -> None:
    one = separately(CASES[0], tmp_path / "one" / "v")
    for changed in ({"body": "2"}, {"status": 201}, {"type": "text/csv"}, {"headers": {"a": "b"}}):
        assert not same(one, one | changed)


@pytest.mark.engines
@pytest.mark.timeout(1200)
def test_the_published_toolkits_answer_as_observed(observed: Observed) -> None:
    assert published() == observed
