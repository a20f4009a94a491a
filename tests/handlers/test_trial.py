"""The process that measures an artifact, as a build starts it."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from handlers.handler import golden_logits
from handlers.trial import Trial, run_trial
from model_store.manifest import read_manifest
from tests.handlers.variants import copy_of, opened


def trial(dense: Path, backend: str, file: str, **other: object) -> Trial:
    manifest = read_manifest(dense)
    asked = Trial(
        backend=backend,
        file=str(dense / file),
        precision="fp32",
        layout="packed",
        tokenizer=str(dense / "tokenizer.json"),
        max_tokens=manifest.max_tokens,
        task=manifest.task,
        task_settings=manifest.task_settings,
        threads=1,
        texts=tuple((one.text, one.text_pair) for one in manifest.golden),
    )
    return msgspec.structs.replace(asked, **other)


def measured(asked: Trial) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-P", "-m", "handlers.trial"]
    return subprocess.run(command, input=msgspec.json.encode(asked), capture_output=True, check=False)


def test_it_writes_a_line_for_each_text_with_what_the_served_variant_would_give(dense: Path) -> None:
    asked = trial(dense, "onnxruntime", "model.onnx")
    done = measured(asked)
    assert done.returncode == 0
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    handler = opened(dense)
    assert [one["logits"] for one in outcomes] == golden_logits(handler)
    assert [one["answer"] for one in outcomes] == [handler.model(text)[0] for text, _ in asked.texts]


def test_texts_are_asked_one_at_a_time_as_they_are_taken(dense: Path) -> None:
    asked = trial(dense, "onnxruntime", "model.onnx", texts=(("a film", None), ("bad", "good")))
    outcomes = run_trial(asked)
    assert len(next(outcomes).logits) == 2
    assert len(list(outcomes)) == 1


def test_a_text_that_no_client_could_ask_is_an_error_that_shows_it(dense: Path) -> None:
    (line,) = measured(trial(dense, "onnxruntime", "model.onnx", texts=((" ", None),))).stdout.splitlines()
    failure = json.loads(line)
    assert failure["error"] == "DataError"
    assert "Text ' ' of the data cannot be asked." in failure["message"]


def test_an_error_is_the_last_line_with_its_name_and_its_message(dense: Path, tmp_path: Path) -> None:
    file = copy_of(dense, tmp_path / "damaged") / "model.onnx"
    file.write_bytes(b"no graph")
    (line,) = measured(trial(file.parent, "onnxruntime", "model.onnx")).stdout.splitlines()
    failure = json.loads(line)
    assert failure["error"] == "BackendError"
    assert "cannot load 'model.onnx'" in failure["message"]


def test_what_an_engine_prints_is_not_among_the_answers(dense: Path) -> None:
    # At the end of the process, from C as it were: past sys.stdout.
    code = "import atexit, os; atexit.register(os.write, 1, b'bye'); from handlers.trial import main; main()"
    asked = msgspec.json.encode(trial(dense, "onnxruntime", "model.onnx"))
    done = subprocess.run([sys.executable, "-c", code], input=asked, capture_output=True, check=True)
    assert b"bye" in done.stderr
    assert b"bye" not in done.stdout
