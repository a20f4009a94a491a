import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from model_store.errors import RecipeError
from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.shape import EncoderShape
from recipes.steps.base import Step, StepInput, parameter
from recipes.steps.chain import ChainInput, run_steps
from recipes.work.folder import held
from tests.tiny import TEXTS, tiny_checkpoint

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS))
DONE: list[str] = []


@dataclass(frozen=True, slots=True)
class Shift:
    """Adds to a bias; fails as long as a file is missing."""

    name: ClassVar[str] = "shift"
    uses_latency: ClassVar[bool] = False

    by: float = parameter(-10, 10)

    def run(self, given: StepInput) -> Path:
        DONE.append(f"{self.name} {self.by}")
        encoder = load_checkpoint(given.checkpoint)
        encoder.classifier.bias.data += self.by
        save_checkpoint(encoder, given.work / "shifted")
        return given.work / "shifted"


@dataclass(frozen=True, slots=True)
class Measure(Shift):
    """Depends on the engine."""

    name: ClassVar[str] = "measure"
    uses_latency: ClassVar[bool] = True

    def run(self, given: StepInput) -> Path:
        assert given.latency_s(load_checkpoint(given.checkpoint).shape) == 2.0
        return Shift.run(self, given)


@dataclass(frozen=True, slots=True)
class Curious(Shift):
    """Asks for latencies without having said so."""

    def run(self, given: StepInput) -> Path:
        given.latency_s(load_checkpoint(given.checkpoint).shape)
        return given.checkpoint


@dataclass(frozen=True, slots=True)
class Asking(Shift):
    """Reports before it does anything."""

    name: ClassVar[str] = "asking"

    def run(self, given: StepInput) -> Path:
        given.report("begins", 0.0)
        return Shift.run(self, given)


@dataclass(frozen=True, slots=True)
class Halve(Shift):
    """Needs two layers, and leaves half of them."""

    name: ClassVar[str] = "halve"

    def shape_after(self, largest: EncoderShape) -> EncoderShape:
        if largest.layers < 2:
            raise RecipeError("one layer has no half")
        half = largest.layers // 2
        return replace(largest, heads=largest.heads[:half], units=largest.units[:half])


@pytest.fixture
def given(tmp_path: Path) -> ChainInput:
    DONE.clear()

    def latency_s(shape: EncoderShape) -> float:
        return float(shape.layers)

    return ChainInput(
        checkpoint=tiny_checkpoint(tmp_path / "tiny"),
        train=Split("films", "train", ROWS),
        max_tokens=64,
        seed=5,
        work=tmp_path / "work",
        target="fp32@onnxruntime",
        latency_s=latency_s,
        report=lambda what, done: None,
    )


def test_each_step_changes_what_the_one_before_made(given: ChainInput) -> None:
    checkpoint, lineage = run_steps((Shift(1.0), Shift(2.0)), given)
    bias = load_checkpoint(given.checkpoint).classifier.bias
    assert (load_checkpoint(checkpoint).classifier.bias - bias).tolist() == pytest.approx([3.0, 3.0])
    assert [(one.step, one.parameters, one.seed) for one in lineage] == [
        ("shift", {"by": 1.0}, 5),
        ("shift", {"by": 2.0}, 5),
    ]
    assert (checkpoint / "tokenizer.json").read_bytes() == (given.checkpoint / "tokenizer.json").read_bytes()


def test_a_finished_step_is_not_done_again_whatever_follows_it(given: ChainInput) -> None:
    first = run_steps((Shift(1.0),), given)
    assert run_steps((Shift(1.0),), given) == first
    run_steps((Shift(1.0), Shift(2.0)), given)
    assert DONE == ["shift 1.0", "shift 2.0"]


def test_all_that_determines_a_result_tells_it_from_others(given: ChainInput) -> None:
    other_rows = Split("films", "train", ROWS[:3])
    inputs = (given, replace(given, seed=6), replace(given, train=other_rows), replace(given, max_tokens=8))
    steps: tuple[tuple[Step, ...], ...] = ((Shift(1.0),), (Shift(2.0),), (Shift(2.0), Shift(1.0)))
    found = {run_steps(chain, one)[0] for one in inputs for chain in steps}
    assert len(found) == len(inputs) * len(steps)


def test_only_what_was_measured_on_an_engine_is_kept_for_that_engine_alone(given: ChainInput) -> None:
    other = replace(given, target="int8@openvino")
    assert run_steps((Shift(1.0),), given) == run_steps((Shift(1.0),), other)
    assert run_steps((Measure(1.0),), given) != run_steps((Measure(1.0),), other)


def test_a_step_that_asks_for_latencies_must_say_so(given: ChainInput) -> None:
    with pytest.raises(AssertionError, match="uses_latency"):
        run_steps((Curious(1.0),), given)


def test_a_step_that_another_process_is_doing_is_refused(given: ChainInput) -> None:
    def from_another_process(what: str, done: float) -> None:
        code = f"from recipes.work.folder import held\nwith held(__import__('pathlib').Path({str(folder())!r})): pass"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "RecipeError: Another process is doing this step" in other.stderr
        DONE.append("refused")

    def folder() -> Path:
        (found,) = given.work.glob("asking.*")
        return found

    run_steps((Asking(1.0),), replace(given, report=from_another_process))
    assert DONE == ["refused", "asking 1.0"]
    with held(folder()):
        run_steps((Asking(1.0),), given)
    assert DONE == ["refused", "asking 1.0"], "what is finished is used whoever works there"


def test_a_step_that_failed_finds_its_folder_again(given: ChainInput, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(step: Shift, told: StepInput) -> Path:
        (told.work / "half").write_text("done")
        raise RecipeError("no more room")

    def go_on(step: Shift, told: StepInput) -> Path:
        assert (told.work / "half").read_text() == "done"
        return told.checkpoint

    monkeypatch.setattr(Shift, "run", fail)
    with pytest.raises(RecipeError, match="no more room"):
        run_steps((Shift(1.0),), given)
    monkeypatch.setattr(Shift, "run", go_on)
    checkpoint, _ = run_steps((Shift(1.0),), given)
    assert not (checkpoint.parent / "work").exists()


def test_what_a_checkpoint_is_too_small_for_is_refused_before_any_step_is_begun(given: ChainInput) -> None:
    with pytest.raises(RecipeError, match="one layer has no half"):
        run_steps((Shift(1.0), Halve(1.0), Shift(2.0), Halve(1.0)), given)
    assert DONE == []
    assert not given.work.exists()
    run_steps((Shift(1.0), Halve(1.0)), given)
    assert DONE == ["shift 1.0", "halve 1.0"]


def test_what_steps_report_is_kept_with_what_they_made(given: ChainInput, monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(step: Shift, told: StepInput) -> Path:
        done = Shift(step.by).run(replace(told, work=told.work / "inner"))
        (done / "report").mkdir()
        (done / "report" / "chart.svg").write_text(f"{step.by} in {told.jobs} jobs for {told.target!r}")
        return done

    monkeypatch.setattr(Measure, "run", tell)
    checkpoint, _ = run_steps((Measure(1.0), Shift(2.0)), replace(given, jobs=3))
    assert [str(file.relative_to(checkpoint)) for file in checkpoint.rglob("*.svg")] == ["report/measure/chart.svg"]
    assert (checkpoint / "report" / "measure" / "chart.svg").read_text() == "1.0 in 3 jobs for 'fp32@onnxruntime'"
