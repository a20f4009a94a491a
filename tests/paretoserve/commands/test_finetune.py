"""`paretoserve finetune` as a process that is killed, stopped, or has no room, and started again."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store.errors import ParetoServeError
from paretoserve.cli import app
from tests.paretoserve.finetuning.films import write_films
from tests.tiny import tiny_checkpoint

pytestmark = pytest.mark.timeout(300)

# More than the weights, less than those with the optimizer's state; and as good as any number.
FULL, EMPTY = 150_000, 10**12


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The arguments of a training of some seconds."""
    data, encoder = write_films(tmp_path / "films"), tiny_checkpoint(tmp_path / "encoder")
    return ["finetune", "--checkpoint", str(encoder), "--data", str(data), "--epochs", "2", "--batch", "16"]


def started(words: list[str], out: Path, room_bytes: int = EMPTY, wait_at: float = 2.0) -> "subprocess.Popen[str]":
    options = [str(room_bytes), str(wait_at), *words, "--out", str(out)]
    # Threads of such small products wait for each other most of the time.
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.paretoserve.finetuning.process", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)


def finished(words: list[str], out: Path, room_bytes: int = EMPTY) -> tuple[int, str, str]:
    """The exit code and both outputs of a process that nobody stops."""
    with started(words, out, room_bytes) as process:
        output, said = process.communicate()
    return process.returncode, output, said


def stopped(words: list[str], out: Path, by: signal.Signals) -> tuple[int, str]:
    """The exit code, and what is said after the signal, which comes in the middle of the training."""
    with started(words, out, wait_at=0.5) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "waiting\n":
            assert process.poll() is None
        process.send_signal(by)
        _, said = process.communicate()
        return process.returncode, said


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("by", [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), signal.SIGINT])
def test_stopped_the_same_command_goes_on_and_ends_at_the_same_weights(
    words: list[str], tmp_path: Path, by: signal.Signals
) -> None:
    code, output, _ = finished(words, tmp_path / "whole")
    assert code == 0
    assert re.search(r"^Validation accuracy [▁-█]{6} .* best at step \d+ of 18\.$", output, re.MULTILINE)
    assert re.search(r"^Accuracy \d+\.\d\d % on films/dev \(\d+ of 50; 95 % interval ", output, re.MULTILINE)
    assert "Matthews correlation " in output
    out = tmp_path / "out" / "films"
    code, said = stopped(words, out, by)
    if by == signal.SIGINT:
        assert code == 130
        assert said.splitlines()[-1].startswith("Stopped; the same command goes on from what was kept")
    assert not out.exists(), "nothing half-written stands there"
    code, _, said = finished(words, out)
    assert code == 0
    (first,) = re.findall(r"step (\d+) of 18", said)[:1]
    assert int(first) > 5, "it began anew"
    assert weights(out) == weights(tmp_path / "whole")
    assert [one.name for one in out.parent.iterdir()] == ["films"]


def test_a_full_disk_is_told_and_leaves_no_checkpoint(words: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out" / "films"
    code, _, said = finished(words, out, FULL)
    assert code == 1
    error = said[said.index("error: ") :]
    assert error.count("\n") == 1
    assert error.startswith(
        "error: There is no room to write 'films' (File too large); make room, and the same command"
    )
    assert not out.exists()
    assert not list(out.parent.rglob("*.partial")), "what was begun does not fill the disk further"
    assert finished(words, out)[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--unlabelled", "texts.txt"], "--unlabelled needs somebody who labels the texts; give --teacher."),
        (["--checkpoint", "./no-such"], "'./no-such' is no folder here, and cannot be had from the Hugging Face Hub"),
        (["--data", "no-such.tsv"], "There is no file or folder 'no-such.tsv'"),
    ],
)
def test_what_is_not_there_is_told(words: list[str], tmp_path: Path, options: list[str], message: str) -> None:
    done = CliRunner().invoke(app, [*words, *options, "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, ParetoServeError)
    assert str(done.exception).startswith(message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [["--epochs", "0"], ["--batch", "0"], ["--distillation-weight", "2"]])
def test_numbers_that_make_no_sense_are_refused(words: list[str], tmp_path: Path, options: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, *options, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "Invalid value" in done.output
