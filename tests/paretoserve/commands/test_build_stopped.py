"""`paretoserve build` as a process that is killed, stopped, or has no room, and started again."""

import re
import signal
from pathlib import Path

import pytest

from tests.paretoserve.finetuning.films import write_films
from tests.paretoserve.process import finished, stopped
from tests.tiny import tiny_checkpoint

pytestmark = pytest.mark.timeout(300)

# More than the weights, less than those with the optimizer's state.
FULL = 100_000


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The arguments of a build of some seconds, whose step trains for ten steps."""
    data, checkpoint = write_films(tmp_path / "films"), tiny_checkpoint(tmp_path / "tiny")
    return ["build", "--checkpoint", str(checkpoint), "--data", str(data), "--backend", "torch"]


def trained(words: list[str], store: Path) -> list[str]:
    return [*words, "--recipe", "layers:1:2", "--store", str(store)]


def weights(store: Path) -> bytes:
    return (store / "tiny" / "layers-1-2" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_stopped_the_same_command_goes_on_and_ends_at_the_same_weights(
    words: list[str], tmp_path: Path, by: signal.Signals
) -> None:
    whole, store = tmp_path / "whole", tmp_path / "store"
    assert finished(trained(words, whole))[0] == 0
    code, said = stopped(trained(words, store), 5, by)
    if by == signal.SIGINT:
        assert code == 130
        assert said == "Stopped; the same command goes on from what was kept, a minute ago at most.\n"
        assert not list((store / "tiny").iterdir()), "nothing half-written stands there"
    assert not (store / "tiny" / "layers-1-2").exists()
    code, _, said = finished(trained(words, store))
    assert code == 0
    assert re.findall(r"step (\d+) of 10", said)[0] == "6", "it began anew"
    assert [one.name for one in (store / "tiny").iterdir()] == ["layers-1-2"], "what was half-written is gone"
    assert weights(store) == weights(whole)


def test_a_full_disk_is_told_and_the_same_command_goes_on(words: list[str], tmp_path: Path) -> None:
    store = tmp_path / "store"
    code, _, said = finished(trained(words, store), FULL)
    assert code == 1
    assert said[said.index("error: ") :] == (
        "error: There is no room to write 'layers-1-2' (File too large); make room, and the same command goes on from "
        "what was kept.\n"
    )
    assert not list((store / "tiny").iterdir())
    assert not list(store.rglob("*.partial")), "what was begun does not fill the disk further"
    assert finished(trained(words, store))[0] == 0
