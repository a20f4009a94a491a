"""What a comparison makes of the results that an earlier command has left, without a server: runs are invented."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest.results.comparison import Run
from paretoserve.campaigns import compare as comparing
from paretoserve.campaigns.kept import KeptRate, KeptRun, kept_in
from paretoserve.campaigns.measure import Measured, Task
from paretoserve.campaigns.settings import Comparison
from paretoserve.candidates.candidate import parse_candidate
from tests.loadtest.examples import level

FIRST, SECOND = "dense@onnxruntime", "dense@openvino"
NOT_READ = f"{FIRST}, block 1 of 1 is measured again: result.json was not written by this version, or is damaged."


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that were measured, by the names of their candidates."""
    names: list[str] = []

    def measure(task: Task, *_: Any) -> Measured:
        names.append(task.place.name)
        return Measured(Run(task.place.block, task.place.place, "2026-01-02T03:04:05Z", (level(2), level(4))))

    monkeypatch.setattr(comparing, "measure", measure)
    monkeypatch.setattr(comparing, "common_rate", lambda course: KeptRate(40.0, "as told"))
    return names


@pytest.fixture
def comparison(tiny_store: Path, tiny_data: Path, tmp_path: Path) -> Comparison:
    candidates = [parse_candidate(name, tiny_store / "tiny") for name in (FIRST, SECOND)]
    return replace(Comparison(candidates, str(tiny_data), tmp_path / "out"), blocks=1)


def result_of(name: str, comparison: Comparison) -> Path:
    return comparison.out_dir / name / "block-1" / "result.json"


def again(comparison: Comparison, measured: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that the same command says when it is given once more."""
    measured.clear()
    capsys.readouterr()
    comparing.compare(comparison, plain=True)
    return capsys.readouterr().err.splitlines()


def test_results_of_before_are_kept(
    comparison: Comparison, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    comparing.compare(comparison)
    assert sorted(measured) == [FIRST, SECOND]
    said = again(comparison, measured, capsys)
    assert measured == []
    assert len([line for line in said if line.endswith("(kept from before)")]) == 2


def cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def of_another_schema(content: bytes) -> bytes:
    return content.replace(b'"attempts"', b'"requests"')


def of_another_encoding(content: bytes) -> bytes:
    return content.replace(b"2026", b"\xff\xfe")


@pytest.mark.parametrize("damaged", [cut_in_half, of_another_schema, of_another_encoding, lambda content: b""])
def test_a_result_that_cannot_be_read_is_told_in_a_sentence_and_measured_again(
    comparison: Comparison, measured: list[str], capsys: pytest.CaptureFixture[str], damaged: Any
) -> None:
    comparing.compare(comparison)
    file = result_of(FIRST, comparison)
    file.write_bytes(damaged(file.read_bytes()))
    said = again(comparison, measured, capsys)
    assert measured == [FIRST]
    assert [line for line in said if "again" in line] == [NOT_READ]
    assert kept_in(file, KeptRun) is not None


def test_a_result_of_another_candidate_is_measured_again_and_told_by_what_differs(
    comparison: Comparison, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    comparing.compare(comparison)
    result_of(FIRST, comparison).write_bytes(result_of(SECOND, comparison).read_bytes())
    said = again(comparison, measured, capsys)
    assert measured == [FIRST]
    (line,) = [line for line in said if "again" in line]
    assert line == f"{FIRST}, block 1 of 1 is measured again: not the same any more are the artifact, the engine."
