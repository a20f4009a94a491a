"""When an endpoint scales is what a campaign measured, and nothing else."""

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from docs.generate import RESULTS, RESULTS_AMX
from loadtest.results.reading import read_report
from loadtest.results.threshold import Threshold
from loadtest.statistics.cost import answers_at_limit
from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.scaling import Measured, Scaling, read_measured
from tests.loadtest.examples import candidate, level, report

LEVELS = (level(8.0, ok_per_s=72.0), level(12.0, ok_per_s=90.0), level(64.0, 0.5, ok_per_s=110.0))


def scaling(threshold: Threshold | None) -> Scaling:
    """Of a candidate with `LEVELS` and this threshold."""
    measured = candidate("a@b", LEVELS)
    runs = (replace(measured.runs[0], threshold=threshold),)
    return Measured(report(replace(measured, runs=runs)), "report", "report").scaling("a@b")


def test_a_number_with_an_interval_is_taken_as_it_is() -> None:
    found = scaling(Threshold(11.0, (8.0, 12.0), "11", (10.0, 12.0)))
    assert found.users == pytest.approx(11.0)
    assert found.answers_per_s == pytest.approx(11 * 90 / 12), "each user gets what those of the nearest level got"
    assert found.invocations_per_minute == pytest.approx(found.answers_per_s * 30, abs=0.1)


def test_between_levels_far_apart_the_lower_one_counts() -> None:
    assert scaling(Threshold(11.0, (8.0, 12.0), "11")).users == 8.0
    assert scaling(Threshold(11.0, (10.5, 12.0), "11")).users == 11.0


@pytest.mark.parametrize(
    ("threshold", "says"),
    [
        (Threshold(None, (64.0, None), "> 64"), r"\(it says: > 64\)"),
        (Threshold(None, (None, 1.0), "< 1"), r"\(it says: < 1\)"),
        (Threshold(None, (8.0, 16.0), "8\N{EN DASH}16"), r"it says: 8.16"),
        (None, r"\(it says: unknown\)"),
    ],
)
def test_a_limit_that_is_no_number_is_refused(threshold: Threshold | None, says: str) -> None:
    with pytest.raises(ParetoServeError, match=f"at how many users 'a@b' throttles .*{says}"):
        scaling(threshold)


def test_a_candidate_without_a_limit_in_a_real_report_is_refused() -> None:
    with pytest.raises(ParetoServeError, match=r"throttles \(it says: > 64\); compare again, with users on both sides"):
        read_measured(RESULTS_AMX).scaling("int8@openvino")
    assert answers_at_limit(read_report(RESULTS_AMX / "report.json").candidates[-1]) is None


def test_the_source_is_the_reports_path_and_hash_in_what_a_tag_may_hold(tmp_path: Path) -> None:
    folder = tmp_path / ("a long (odd) name," * 12) / "run"
    folder.mkdir(parents=True)
    content = msgspec.json.encode(read_report(RESULTS / "report.json"))
    (folder / "report.json").write_bytes(content)
    source = read_measured(folder).source
    assert len(source) == 256
    assert source.endswith(f"run/report.json@sha256:{hashlib.sha256(content).hexdigest()}")
    assert not set("(),' ") & set(source)


def test_it_says_where_the_figure_comes_from() -> None:
    text = str(Scaling(1836.0, 61.2, 8.0, "runs/a/report.json@sha256:ab"))
    assert text == (
        "1836 invocations a minute for each instance: 50% of the 61.2 answers/s that 8 users got by "
        "runs/a/report.json@sha256:ab"
    )
