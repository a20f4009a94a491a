"""`compare` as a person types it: stopped in the middle, gone on with, held against an earlier report."""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest

from loadtest.results.reading import read_report
from tests.serving.front_server import until_gone

pytestmark = pytest.mark.timeout(300)

FIRST, SECOND = "dense@onnxruntime", "dense@openvino"
LOAD = ("--users", "2", "--exact-levels", "--think-time", "0.02", "--dwell", "1")


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    printed: str
    said: str


def command(store: Path, data: Path, out: Path, *more: str) -> list[str]:
    named = ("--store", str(store / "tiny"), "--candidates", f"{FIRST},{SECOND}", "--data", str(data))
    return [sys.executable, "-m", "paretoserve", "compare", *named, "--out", str(out), *LOAD, "--quick", *more]


def run(store: Path, data: Path, out: Path, *more: str) -> Done:
    asked = command(store, data, out, *more)
    done = subprocess.run(asked, capture_output=True, text=True, timeout=200, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class Course:
    store: Path
    data: Path
    out: Path
    stopped: Done
    report_when_stopped: str
    finished: Done

    def again(self, *more: str) -> Done:
        return run(self.store, self.data, self.out, *more)


@pytest.fixture(scope="module")
def course(tiny_store: Path, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A comparison that gets Ctrl-C after its first run, and the same command once more."""
    out = tmp_path_factory.mktemp("compare") / "out"
    stopped = stopped_after_a_run(command(tiny_store, tiny_data, out))
    report = (out / "report.json").read_text()
    return Course(tiny_store, tiny_data, out, stopped, report, run(tiny_store, tiny_data, out))


def stopped_after_a_run(asked: list[str], by: signal.Signals = signal.SIGINT) -> Done:
    """What it printed; all processes that it had started have ended, also those that it was just starting."""
    pipe, mark = subprocess.PIPE, str(uuid.uuid4())
    # Tests that run in the background are started with Ctrl-C ignored.
    restore = [sys.executable, "-c", _WITH_CTRL_C, *asked[3:]]
    with subprocess.Popen(restore, stdout=pipe, stderr=pipe, text=True, env={**os.environ, _MARK: mark}) as process:
        assert process.stderr is not None
        said = _until_the_second_run(process.stderr)
        process.send_signal(by)
        printed, rest = process.communicate(timeout=60)
    until_gone(_marked(mark))
    return Done(process.returncode, printed, said + rest)


_MARK = "STARTED_BY_A_TEST"


def _marked(mark: str) -> list[psutil.Process]:
    """Processes that inherited it."""
    return [one for one in psutil.process_iter(["environ"]) if (one.info["environ"] or {}).get(_MARK) == mark]


_WITH_CTRL_C = """
import signal
from paretoserve.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def _until_the_second_run(said: IO[str]) -> str:
    lines = ""
    while lines.count("block 1 of 1 …") < 2:
        line = said.readline()
        assert line, lines
        lines += line
    return lines


def test_ctrl_c_leaves_a_report_of_the_runs_until_then(course: Course) -> None:
    assert course.stopped.code == 130
    assert "Stopped; the same command goes on after the last run that was finished" in course.stopped.said
    runs = [len(one["runs"]) for one in json.loads(course.report_when_stopped)["candidates"]]
    assert sum(runs) == 1
    assert (course.out / "report.html").exists()


def test_whoever_ends_a_comparison_ends_its_servers_and_has_the_report(
    tiny_store: Path, tiny_data: Path, tmp_path: Path
) -> None:
    stopped = stopped_after_a_run(command(tiny_store, tiny_data, tmp_path), signal.SIGTERM)
    assert stopped.code == 130
    assert [len(one.runs) for one in read_report(tmp_path / "report.json").candidates] == [1]
    assert (tmp_path / "report.html").exists()


def test_the_same_command_goes_on_with_the_run_that_was_stopped(course: Course) -> None:
    assert course.finished.code == 0, course.finished.said
    assert course.finished.said.count("(kept from before)") == 1
    assert "pilot" not in course.finished.said
    report = read_report(course.out / "report.json")
    assert [[run.failure for run in one.runs] for one in report.candidates] == [[""], [""]]
    assert all(run.common_rate and run.common_rate.ok for one in report.candidates for run in one.runs)
    assert all(one.quality and one.quality.right for one in report.candidates)
    assert f"Report: {course.out / 'report.html'}" in course.finished.printed


@pytest.mark.parametrize(
    ("condition", "code", "words"),
    [("quality<-99", 0, "holds"), ("quality<99", 3, "fails"), ("quality<0", 4, "is undecided")],
)
def test_a_gate_ends_with_a_code_of_its_own(course: Course, condition: str, code: int, words: str) -> None:
    done = course.again("--baseline", str(course.out / "report.json"), "--fail-if", condition)
    assert done.code == code, done.said
    assert f"{FIRST}: {condition} {words}" in done.printed
    assert done.printed.endswith(f"The gate {words}: exit code {code}.\n")
    assert done.said.count("(kept from before)") == 2


def test_other_conditions_than_the_baselines_are_refused_before_anything_is_measured(course: Course) -> None:
    gate = ("--baseline", str(course.out), "--fail-if", "threshold<0.9x")
    done = course.again(*gate, "--queue-deadline", "0.3", "--restart", "--think-time", "0.5")
    assert done.code == 1
    said = " ".join(done.said.split())
    assert "Admission (queue deadline of 100 ms, the same for every candidate there, queue deadline of 300 ms" in said
    assert "Think time (0.02 s there, 0.5 s here)" in said
    assert "pilot" not in said
    assert course.again().said.count("(kept from before)") == 2, "what was refused has removed nothing"


def test_a_candidate_of_the_baseline_that_is_not_compared_is_told_before_anything_is_measured(
    course: Course, tmp_path: Path
) -> None:
    said = json.loads((course.out / "report.json").read_text())
    said["candidates"][0]["name"] = "another@torch"
    (tmp_path / "report.json").write_text(json.dumps(said))
    done = course.again("--baseline", str(tmp_path), "--fail-if", "threshold<0.9x", "--restart")
    assert done.code == 1
    assert "The baseline has another@torch, which this comparison lacks" in " ".join(done.said.split())
    assert course.again().said.count("(kept from before)") == 2, "what was refused has removed nothing"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--fail-if", "threshold<0.9x"), "A gate needs --baseline"),
        (("--baseline", "no-such.json", "--fail-if", "p95>1.1"), "'p95>1.1' is not understood; give threshold<0.9x"),
        (("--baseline", "no-such.json", "--fail-if", "p95>1.1x"), "There is no report at 'no-such.json'"),
        (("--slo", "200ms"), "'200ms' is no objective"),
    ],
)
def test_what_cannot_be_understood_is_a_sentence(course: Course, more: tuple[str, ...], message: str) -> None:
    done = course.again(*more)
    assert done.code == 1
    assert message in done.said
    assert "Traceback" not in done.said


def test_a_dry_run_prints_the_plan_and_its_time_and_measures_nothing(
    tiny_store: Path, tiny_data: Path, tmp_path: Path
) -> None:
    done = run(tiny_store, tiny_data, tmp_path / "out", "--dry-run")
    assert done.code == 0
    lines = done.printed.splitlines()
    assert lines[0] == "pilot: the common rate, by the first candidate"
    assert all(name in lines[1] for name in ("block 1 of 1", FIRST, SECOND))
    assert "in all" in lines[2]
    assert not (tmp_path / "out").exists()


def test_candidates_that_cannot_be_served_leave_an_exit_code_and_the_reason(
    tiny_store: Path, tiny_data: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(tiny_store, store)
    for file in (store / "tiny" / "dense").glob("*.onnx"):
        file.write_bytes(b"no model")
    named = ("--store", str(store / "tiny"), "--candidates", FIRST, "--data", str(tiny_data))
    asked = [sys.executable, "-m", "paretoserve", "compare", *named, "--out", str(tmp_path / "out"), "--quick"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 1
    assert "error: Nothing could be measured." in done.stderr
    assert "build the variant again" in " ".join(done.stderr.split())
