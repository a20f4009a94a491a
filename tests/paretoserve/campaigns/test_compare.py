"""The course of a comparison, with runs that are told instead of measured; `test_measured` has real ones."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtest.results.comparison import REPORT_FILE, Quality, Report, Run
from loadtest.results.reading import read_report
from loadtest.results.threshold import Threshold
from loadtest.statistics.blocks import CANARY
from model_store.errors import ParetoServeError
from paretoserve.campaigns import compare as course
from paretoserve.campaigns import plan
from paretoserve.campaigns.compare import Comparison, Load, compare
from paretoserve.campaigns.kept import Facts, KeptRate
from paretoserve.campaigns.measure import Measured, Task
from paretoserve.candidates.candidate import parse_candidate
from tests.loadtest.examples import level

FIRST, SECOND, THIRD = "dense@onnxruntime", "dense@openvino", "dense@torch"


@dataclass(slots=True)
class Script:
    """What runs find, and which runs there were."""

    thresholds: dict[str, float] = field(default_factory=lambda: {FIRST: 50.0, SECOND: 60.0, THIRD: 40.0, CANARY: 51.0})
    failures: dict[tuple[str, int], str] = field(default_factory=dict)
    interrupted: tuple[str, int] | None = None
    done: list[Task] = field(default_factory=list)
    decided_after: int = 99
    lost: dict[str, str] = field(default_factory=dict)
    rate: KeptRate = KeptRate(25.0, "as a test says")

    @property
    def runs(self) -> list[tuple[str, int]]:
        return [(task.place.name, task.place.block) for task in self.done]

    def measure(self, task: Task, *_: Any) -> Measured:
        key = (task.place.name, task.place.block)
        if key == self.interrupted:
            raise KeyboardInterrupt
        self.done.append(task)
        run = Run(task.place.block, task.place.place, "2026-01-02T03:04:05Z")
        if failure := self.failures.get(key):
            return Measured(replace(run, failure=failure))
        at = self.thresholds[task.place.name]
        found = Threshold(at, (at - 1, at + 1), f"{at:.0f}", (at - 1, at + 1))
        quality = Quality(0.9, "accuracy", 4, right="f") if task.asks_quality else None
        return Measured(replace(run, levels=(level(8),), threshold=found), quality, Facts("onnxruntime 1.0", "fp32"))

    def is_decided(self, report: Report) -> bool:
        return max(run.block for run in report.candidates[0].runs) + 1 >= self.decided_after


def rotated(block: int, names: Sequence[str], seed: int) -> tuple[str, ...]:
    order = (*names, CANARY)
    return order[block % len(order) :] + order[: block % len(order)]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    script = Script()
    monkeypatch.setattr(course, "measure", lambda *given: script.measure(*given))
    monkeypatch.setattr(course, "common_rate", lambda course: script.rate)
    monkeypatch.setattr(course, "is_decided", script.is_decided)
    monkeypatch.setattr(course, "losers", lambda report: script.lost)
    monkeypatch.setattr(course, "write_report", lambda report, folder: None)
    monkeypatch.setattr(plan, "order_of", rotated)
    return script


Asked = Callable[..., Comparison]


@pytest.fixture
def asked(tiny_store: Path, tiny_data: Path, tmp_path: Path) -> Asked:
    model = tiny_store / "tiny"

    def make(names: Sequence[str] = (FIRST, SECOND), **changes: Any) -> Comparison:
        candidates = [parse_candidate(name, model) for name in names]
        return replace(Comparison(candidates, str(tiny_data), tmp_path / "out", blocks=2), **changes)

    return make


def test_each_block_has_all_candidates_and_the_canary_in_an_order_of_its_own(script: Script, asked: Asked) -> None:
    report = compare(asked())
    assert script.runs == [(FIRST, 0), (SECOND, 0), (CANARY, 0), (SECOND, 1), (CANARY, 1), (FIRST, 1)]
    assert [[run.block for run in one.runs] for one in report.candidates] == [[0, 1], [0, 1]]
    assert [run.place for run in report.canary] == [2, 1]
    assert report.conditions["Order of block 2"] == f"{SECOND}, {CANARY}, {FIRST}"
    assert report.common_rate_per_s == 25.0


def test_quality_is_asked_once_of_each_candidate_and_never_of_the_canary(script: Script, asked: Asked) -> None:
    report = compare(asked())
    assert [task.place[:3:2] for task in script.done if task.asks_quality] == [(0, FIRST), (0, SECOND)]
    assert all(one.quality and one.quality.right == "f" for one in report.candidates)


def test_later_blocks_begin_around_what_earlier_ones_found(script: Script, asked: Asked) -> None:
    compare(asked((FIRST,)))
    starts = {(task.place.name, task.place.block): task.start for task in script.done}
    assert starts[FIRST, 0] is None
    assert starts[FIRST, 1] == (46, 50, 54, 60, 75, 150)
    assert starts[CANARY, 1] == (47, 51, 55, 61, 76, 153)


def test_exact_levels_are_those_of_every_block(script: Script, asked: Asked) -> None:
    compare(asked(load=Load((8, 16), exact_levels=True)))
    assert {task.start for task in script.done} == {None}


def test_it_ends_where_the_answer_is_clear(script: Script, asked: Asked) -> None:
    script.decided_after = 2
    report = compare(asked(blocks=5))
    assert {block for _, block in script.runs} == {0, 1}
    assert report.blocks == 5


def test_one_block_decides_nothing(script: Script, asked: Asked) -> None:
    script.decided_after = 1
    compare(asked(blocks=3))
    assert {block for _, block in script.runs} == {0, 1}


def test_losers_are_left_out_of_later_blocks_and_keep_the_reason(script: Script, asked: Asked) -> None:
    script.lost = {SECOND: "It holds half as many users."}
    report = compare(asked())
    assert (SECOND, 1) not in script.runs
    assert [one.dropped for one in report.candidates] == ["", "It holds half as many users."]


def test_a_quick_one_has_one_block_and_no_canary(script: Script, asked: Asked) -> None:
    report = compare(asked(is_quick=True))
    assert script.runs == [(FIRST, 0), (SECOND, 0)]
    assert (report.blocks, report.is_quick, report.canary) == (1, True, ())


def test_the_same_command_does_nothing_again(script: Script, asked: Asked) -> None:
    first = compare(asked())
    script.done.clear()
    again = compare(asked())
    assert script.runs == []
    assert (again.candidates, again.canary) == (first.candidates, first.canary)


def test_after_ctrl_c_there_is_a_report_and_the_same_command_goes_on(
    script: Script, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[Report] = []
    monkeypatch.setattr(course, "write_report", lambda report, folder: pages.append(report))
    script.interrupted = (CANARY, 0)
    with pytest.raises(KeyboardInterrupt):
        compare(asked())
    assert [len(one.runs) for one in pages[-1].candidates] == [1, 1]
    script.interrupted = None
    script.done.clear()
    compare(asked())
    assert script.runs == [(CANARY, 0), (SECOND, 1), (CANARY, 1), (FIRST, 1)]


def test_every_run_leaves_a_report_that_a_kill_cannot_take_away(
    script: Script, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = asked()
    seen = []

    def look(task: Task, *given: Any) -> Measured:
        file = comparison.out_dir / REPORT_FILE
        seen.append(sum(len(one.runs) for one in read_report(file).candidates) if file.exists() else 0)
        return script.measure(task, *given)

    monkeypatch.setattr(course, "measure", look)
    compare(comparison)
    assert seen == [0, 1, 2, 2, 3, 3]


def test_starting_anew_measures_everything_again(script: Script, asked: Asked) -> None:
    compare(asked())
    script.done.clear()
    compare(asked(restarts=True))
    assert len(script.runs) == 6
    assert [task.place.name for task in script.done if task.asks_quality] == [FIRST, SECOND]


def test_what_a_change_touches_is_measured_again_and_said(
    script: Script, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(asked())
    script.done.clear()
    compare(asked(queue_deadline_s=0.3))
    assert len(script.runs) == 6
    assert not any(task.asks_quality for task in script.done), "answers do not depend on the load"
    said = " ".join(capsys.readouterr().err.split())
    assert f"{FIRST}, block 1 of 2 is measured again: not the same any more are the queue deadline." in said


def test_a_changed_artifact_touches_its_candidate_alone(
    script: Script, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(asked())
    script.done.clear()
    changed = asked()
    other = replace(changed.candidates[1], manifest=_with_other_hash(changed.candidates[1].manifest))
    compare(replace(changed, candidates=[changed.candidates[0], other]))
    assert script.runs == [(SECOND, 0), (SECOND, 1)]
    assert [task.asks_quality for task in script.done] == [True, False]


def _with_other_hash(manifest: Any) -> Any:
    artifact = msgspec.structs.replace(manifest.artifacts["openvino"], sha256={"model.xml": "0" * 64})
    return msgspec.structs.replace(manifest, artifacts={**manifest.artifacts, "openvino": artifact})


def test_another_common_rate_touches_every_run(script: Script, asked: Asked) -> None:
    compare(asked())
    script.done.clear()
    script.rate = KeptRate(26.0, "as a test says")
    compare(asked())
    assert len(script.runs) == 6


def test_a_candidate_that_cannot_be_measured_is_in_the_report_with_the_reason(script: Script, asked: Asked) -> None:
    script.failures = {(SECOND, 0): "The server ended."}
    report = compare(asked())
    assert (SECOND, 1) not in script.runs
    assert report.candidates[1].runs[0].failure == "The server ended."
    assert report.candidates[1].dropped == "It could not be measured: The server ended."
    script.failures = {}
    script.done.clear()
    compare(asked())
    assert script.runs == [(SECOND, 0), (SECOND, 1)], "what failed is tried again"


def test_a_failure_in_a_later_block_leaves_the_earlier_ones(script: Script, asked: Asked) -> None:
    script.failures = {(SECOND, 1): "The load generator ended."}
    report = compare(asked(blocks=3))
    assert [run.failure for run in report.candidates[1].runs] == ["", "The load generator ended.", ""]
    assert report.candidates[1].dropped == ""


def test_the_canary_goes_with_the_first_candidate(script: Script, asked: Asked) -> None:
    script.failures = {(FIRST, 0): "The server ended."}
    compare(asked())
    assert [run for run in script.runs if run[1] == 1] == [(SECOND, 1)]


def test_nothing_measured_is_an_error_with_the_reasons(script: Script, asked: Asked) -> None:
    script.failures = {(name, 0): f"{name} ended." for name in (FIRST, SECOND, CANARY)}
    with pytest.raises(ParetoServeError, match=re.escape(f"Nothing could be measured. {FIRST} ended.")):
        compare(asked())
    assert {block for _, block in script.runs} == {0}


def test_conditions_may_be_refused_before_anything_is_measured(script: Script, asked: Asked) -> None:
    def refuse(report: Report) -> None:
        raise ParetoServeError(report.conditions["Admission"])

    with pytest.raises(ParetoServeError, match="queue deadline of 100 ms"):
        compare(asked(), check=refuse)
    assert script.runs == []
