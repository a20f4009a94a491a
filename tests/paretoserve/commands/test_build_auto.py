"""`paretoserve build --recipe auto`, as people meet it."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from model_store.errors import RecipeError
from paretoserve.builds.auto import run
from paretoserve.builds.auto.record import Record, Try
from paretoserve.builds.auto.request import AutoRequest
from paretoserve.builds.auto.run import Chosen
from paretoserve.cli import app

NOTHING = ("build", "--checkpoint", "./no-such-checkpoint", "--data", "no-such.tsv", "--recipe")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("auto", "--recipe", "int8"), "--recipe auto chooses what is built and stands alone; build 'int8' by"),
        (("int8", "--target", "openvino"), "--target is for --recipe auto alone;"),
        (("int8", "--time-budget", "2h"), "--time-budget is for --recipe auto alone;"),
        (
            ("auto", "--time-budget", "2"),
            "--time-budget '2' is no length of time; give a number above 0 with s, m or h",
        ),
        (("auto", "--target", "tensorrt"), "Nothing can be built for --target 'tensorrt'; choose one of torch, "),
        (("auto+int8",), "Recipe 'auto+int8' has auto in a chain, but auto tries whole chains; give --recipe auto"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_read(words: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(app, [*NOTHING, *words])
    assert isinstance(done.exception, RecipeError)
    assert str(done.exception).startswith(message)


@dataclass
class Chooses:
    """Finds one variant that holds, without doing anything."""

    folder: Path
    asked: list[AutoRequest] = field(default_factory=list)

    def __call__(self, asked: AutoRequest) -> Chosen:
        self.asked.append(asked)
        record = Record(key="", target=asked.target, processor="", max_drop=asked.max_drop, validation_rows=5000)
        kept = Try(recipe="int8", verdict="kept", why="the fastest that holds", gain=2.53, drop=0.1, variant="int8")
        return Chosen(self.folder, msgspec.structs.replace(record, tries=[kept]))


def test_what_was_found_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chooses = Chooses(tmp_path / "sst2")
    monkeypatch.setattr(run, "choose", chooses)
    words = ("--target", "onnxruntime", "--max-drop", "0.5", "--time-budget", "30m", "--seed", "3")
    done = CliRunner().invoke(app, [*NOTHING, "auto", *words])
    assert done.exception is None
    (asked,) = chooses.asked
    assert (asked.target, asked.max_drop, asked.budget_s, asked.build.seed) == ("onnxruntime", 0.5, 1800, 3)
    sentence = "The fastest that loses at most 0.5 points on onnxruntime: sst2/int8, 2.5 x dense."
    assert sentence in " ".join(done.stdout.split())


def test_the_help_says_what_it_does() -> None:
    shown = " ".join(CliRunner().invoke(app, ["build", "--help"], env={"COLUMNS": "200"}).stdout.split())
    assert "auto alone" in shown
    assert all(option in shown for option in ("--target", "--time-budget"))
