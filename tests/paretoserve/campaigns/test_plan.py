from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.results.comparison import Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.blocks import CANARY
from model_store.errors import ParetoServeError
from paretoserve.campaigns.plan import levels_around, places_of, planned_seconds, run_seconds, seconds_left
from paretoserve.campaigns.settings import Comparison, Load, quick
from paretoserve.candidates.candidate import Candidate, parse_candidate

NAMES = ("dense@torch", "int8@openvino", "nas@onnxruntime", "int8@onnxruntime")


@pytest.fixture
def four(tiny_store: Path) -> list[Candidate]:
    one = parse_candidate(f"{tiny_store / 'tiny' / 'dense'}@onnxruntime")
    return [replace(one, backend=backend) for backend in ("torch", "onnxruntime", "openvino", "transformers")]


def run(users: float | None) -> Run:
    return Run(0, 0, "", threshold=Threshold(users, (None, None), "", (None, None)))


def test_each_block_has_every_candidate_and_the_canary_once() -> None:
    for block in range(5):
        places = places_of(block, NAMES, seed=1, has_canary=True)
        assert sorted(place.name for place in places) == sorted((*NAMES, CANARY))
        assert [(place.block, place.place) for place in places] == [(block, i) for i in range(5)]


def test_blocks_have_orders_of_their_own_which_a_seed_repeats() -> None:
    orders = [places_of(block, NAMES, seed=1, has_canary=True) for block in range(6)]
    assert len({tuple(place.name for place in order) for order in orders}) > 1
    assert orders == [places_of(block, NAMES, seed=1, has_canary=True) for block in range(6)]


def test_without_canary_the_order_is_that_of_the_candidates_alone() -> None:
    assert sorted(place.name for place in places_of(0, NAMES, seed=1, has_canary=False)) == sorted(NAMES)
    assert [place.place for place in places_of(0, NAMES, seed=1, has_canary=False)] == [0, 1, 2, 3]


def test_later_blocks_begin_on_both_sides_of_what_was_found() -> None:
    levels = levels_around([run(98.0), run(None), run(102.0)])
    assert levels == (93, 100, 108, 120, 150, 300)
    assert levels_around([run(1.2)]) == (1, 2, 4)
    assert levels_around([run(None)]) is None
    assert levels_around([]) is None


def test_four_candidates_take_three_minutes_at_most_where_it_is_quick(four: list[Candidate]) -> None:
    comparison = Comparison(four, "dev.tsv", Path("out"), quick(Load()), is_quick=True)
    assert comparison.planned_blocks == 1
    assert not comparison.has_canary
    assert planned_seconds(comparison, rows=500) <= 180


def test_four_candidates_take_twenty_minutes_at_most_in_full(four: list[Candidate]) -> None:
    comparison = Comparison(four, "dev.tsv", Path("out"))
    assert (comparison.planned_blocks, comparison.has_canary) == (3, True)
    assert planned_seconds(comparison, rows=872) <= 1200


def test_a_comparison_names_each_candidate_once_and_has_a_block(four: list[Candidate]) -> None:
    with pytest.raises(ParetoServeError, match="dense@torch is there twice"):
        Comparison([four[0], four[0]], "dev.tsv", Path("out"))
    with pytest.raises(ParetoServeError, match="Name each candidate once"):
        Comparison([], "dev.tsv", Path("out"))
    with pytest.raises(ParetoServeError, match="one block at least"):
        Comparison(four, "dev.tsv", Path("out"), blocks=0)


def test_later_blocks_take_less_time() -> None:
    assert run_seconds(Load(), 1, rows=500) < run_seconds(Load(), 0, rows=500)


def test_time_left_follows_how_long_runs_really_took() -> None:
    assert seconds_left([10.0, 10.0, 10.0], []) == 30.0
    assert seconds_left([10.0, 10.0, 10.0], [20.0]) == 40.0
    assert seconds_left([10.0], [20.0]) == 0.0
