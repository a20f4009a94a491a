import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from handlers.trial import Failure, Outcome, Trial
from model_store.errors import BackendError, EnvironmentUnavailable, Overloaded, StoreError
from paretoserve.measuring import logits as measurement
from paretoserve.measuring.logits import raised_elsewhere, trial_outcomes
from tests.environments import use_only


def trial(folder: Path, backend: str = "onnxruntime", file: str = "model.onnx") -> Trial:
    return Trial(
        backend=backend,
        file=str(folder / file),
        precision="fp32",
        layout="packed",
        tokenizer=str(folder / "tokenizer.json"),
        max_tokens=64,
        task="text-classification",
        task_settings={"labels": ["negative", "positive"]},
        threads=1,
        texts=(("a charming film", None), ("bad", "good")),
    )


@pytest.fixture
def interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has trials run by a script of the shell."""

    def runs(script: str) -> None:
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        monkeypatch.setattr(measurement, "interpreter_for", lambda backend: str(python))

    return runs


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_an_artifact_answers_in_an_environment_as_it_does_here(
    tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = trial(tiny_store / "tiny" / "dense")
    here = list(trial_outcomes(asked))
    use_only(["onnxruntime"], tmp_path, monkeypatch)
    there = list(trial_outcomes(asked))
    assert len(here) == len(there) == 2
    assert [one.logits for one in there] == [pytest.approx(one.logits, abs=1e-5) for one in here]
    assert [one.answer["label"] for one in there] == [one.answer["label"] for one in here]


FIRST, SECOND = Outcome([1.0, 2.0], "a"), Outcome([3.0, 4.0], "b")


def echo(outcome: Outcome) -> str:
    return f"echo '{msgspec.json.encode(outcome).decode()}'"


def test_outcomes_come_as_they_are_made(interpreter: Callable[[str], None], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    interpreter(f"{echo(FIRST)}; read go < {tmp_path}/go; {echo(SECOND)}")
    outcomes = trial_outcomes(trial(tmp_path))
    assert next(outcomes) == FIRST
    (tmp_path / "go").write_text("go\n")
    assert list(outcomes) == [SECOND]


def test_an_error_of_the_process_is_raised_as_it_was_there(tiny_store: Path) -> None:
    folder = tiny_store / "tiny" / "dense"
    with pytest.raises(BackendError, match=r"cannot load 'model\.xml'"):
        list(trial_outcomes(trial(folder, file="model.xml")))
    no_tokenizer = msgspec.structs.replace(trial(folder), tokenizer=str(folder / "model.onnx"))
    with pytest.raises(StoreError, match=r"'model\.onnx' of 'dense' is not a tokenizer file"):
        list(trial_outcomes(no_tokenizer))


def test_an_error_keeps_its_message_whatever_its_class_makes_it_of() -> None:
    error = raised_elsewhere(Failure("Overloaded", "The server is full."))
    assert isinstance(error, Overloaded)
    assert str(error) == "The server is full."


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo 'Illegal instruction.' >&2; exit 132",
            r"the onnxruntime artifact ended with 132: Illegal instruction\.$",
        ),
        ("kill -9 $$", r"ended with -9\.$"),
        ("exit 0", r"ended with 0\.$"),
    ],
)
def test_a_process_that_ends_before_all_texts_are_answered_is_told_with_its_last_words(
    interpreter: Callable[[str], None], tmp_path: Path, script: str, message: str
) -> None:
    interpreter(f"{echo(FIRST)}; {script}")
    with pytest.raises(BackendError, match=message):
        list(trial_outcomes(trial(tmp_path)))


def test_an_engine_that_fails_after_the_last_answer_has_answered(
    interpreter: Callable[[str], None], tmp_path: Path
) -> None:
    interpreter(f"{echo(FIRST)}; {echo(SECOND)}; kill -9 $$")
    assert list(trial_outcomes(trial(tmp_path))) == [FIRST, SECOND]


def test_an_engine_that_is_not_installed_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnavailable, match="run: paretoserve env create deepsparse"):
        list(trial_outcomes(trial(tmp_path, "deepsparse")))
