"""`paretoserve finetune` as a process that is killed, stopped, or has no room, and started again."""

import re
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store.errors import ParetoServeError
from paretoserve.cli import app
from tests.paretoserve.finetuning.films import write_films
from tests.paretoserve.process import finished, stopped
from tests.tiny import tiny_checkpoint

pytestmark = pytest.mark.timeout(300)

# More than the weights, less than those with the optimizer's state.
FULL = 150_000


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The arguments of a training of some seconds."""
    data, encoder = write_films(tmp_path / "films"), tiny_checkpoint(tmp_path / "encoder")
    return ["finetune", "--checkpoint", str(encoder), "--data", str(data), "--epochs", "2", "--batch", "16"]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("by", [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), signal.SIGINT])
def test_stopped_the_same_command_goes_on_and_ends_at_the_same_weights(
    words: list[str], tmp_path: Path, by: signal.Signals
) -> None:
    code, output, _ = finished([*words, "--out", str(tmp_path / "whole")])
    assert code == 0
    assert re.search(r"^Validation accuracy [▁-█]{6} .* best at step \d+ of 18\.$", output, re.MULTILINE)
    assert re.search(r"^Accuracy \d+\.\d\d % on films/dev \(\d+ of 50; 95 % interval ", output, re.MULTILINE)
    assert "Matthews correlation " in output
    out = tmp_path / "out" / "films"
    command = [*words, "--out", str(out)]
    code, said = stopped(command, 8, by)
    if by == signal.SIGINT:
        assert code == 130
        assert said.splitlines()[-1].startswith("Stopped; the same command goes on from what was kept")
    assert not out.exists(), "nothing half-written stands there"
    code, _, said = finished(command)
    assert code == 0
    (first,) = re.findall(r"step (\d+) of 18", said)[:1]
    assert int(first) == 9, "it began anew"
    assert weights(out) == weights(tmp_path / "whole")
    assert [one.name for one in out.parent.iterdir()] == ["films"]


def test_a_full_disk_is_told_and_leaves_no_checkpoint(words: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out" / "films"
    command = [*words, "--out", str(out)]
    code, _, said = finished(command, FULL)
    assert code == 1
    error = said[said.index("error: ") :]
    assert error.count("\n") == 1
    assert error.startswith(
        "error: There is no room to write 'films' (File too large); make room, and the same command"
    )
    assert not out.exists()
    assert not list(out.parent.rglob("*.partial")), "what was begun does not fill the disk further"
    assert finished(command)[0] == 0


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
