"""The benchmark of sparse weights: how speeds are taken, and what is made of them."""

from pathlib import Path

import numpy as np

from benchmarks.harness.graph_engine import speed
from benchmarks.harness.results import make_result, write_result
from benchmarks.measures.sparse import CONTESTANTS, DENSE, ONNXRUNTIME, SPARSE, summarized
from benchmarks.report import render
from handlers.tokens.packing import Tokens
from tests.handlers.sessions import FixedSession

PER_S = {DENSE: (10.0, 20.0, 10.0), SPARSE: (40.0, 40.0, 30.0), ONNXRUNTIME: (8.0, 10.0, 10.0)}


def rounds() -> list[dict[str, object]]:
    return [
        {"round": number, "contestant": one.name, "workload": workload, "texts_per_s": PER_S[one][number]}
        for number in range(3)
        for one in CONTESTANTS
        for workload in one.workloads
    ]


def test_ratios_are_taken_within_a_round() -> None:
    summary = summarized(rounds())
    own, other = summary["sparse_over_its_own_dense"], summary["sparse_over_dense_onnxruntime"]
    assert (own.least, own.median, own.most) == (2.0, 3.0, 4.0)
    assert (other.least, other.median, other.most) == (3.0, 4.0, 5.0)


def test_the_page_shows_the_ratios_and_says_that_only_the_timing_means_something(tmp_path: Path) -> None:
    settings = {"model": "BERT-base with random weights: for timing only", "fixed": "16 texts of 128 tokens"}
    write_result(make_result("sparse", settings, rounds(), summarized(rounds())), tmp_path)
    page = render(tmp_path)
    assert "| itself, dense | 3.00 (2.00-4.00) | 3.00 (2.00-4.00) |" in page
    assert "| onnxruntime, dense | 10.0 (8.0-10.0) | not measured |" in page
    assert "for timing only" in page


def test_a_speed_counts_the_texts_of_all_streams() -> None:
    text = Tokens(np.array([2, 3]), np.array([0, 0]))
    session = FixedSession([[0.0, 0.0]])
    per_s = speed(session, [[[text] * 3], [[text] * 3]], streams=2, seconds=0.05)
    assert per_s > 0
    assert {len(batch.inputs()["segment_ids"][0]) for batch in session.asked} == {6}
