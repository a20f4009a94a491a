"""The commands of the page are run, on tiny data, and print what the page shows."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs.generate import DOCS
from paretoserve.cli import app
from tests.paretoserve.finetuning.films import texts, write_films
from tests.shown import blocks
from tests.tiny import tiny_checkpoint

PAGE = DOCS / "finetune.md"


def command_lines(language: str) -> list[list[str]]:
    text = "".join(block.text for block in blocks(PAGE) if block.language == language).replace("\\\n", " ")
    lines = (line.removeprefix("$ ") for line in text.splitlines())
    return [shlex.split(line)[1:] for line in lines if line.startswith("paretoserve finetune ")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the page's commands name."""
    write_films(tmp_path / "data")
    tiny_checkpoint(tmp_path / "encoders" / "minilm")
    tiny_checkpoint(tmp_path / "checkpoints" / "large", seed=1)
    (tmp_path / "texts.txt").write_text("\n".join(text for text, _ in texts(40, seed=1)) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(words: list[str]) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_every_command_makes_its_checkpoint(place: Path) -> None:
    commands = command_lines("sh")
    assert len(commands) >= 2
    for words in commands:
        printed(words)
        assert (place / words[words.index("--out") + 1] / "model.safetensors").is_file()


def alike(text: str) -> list[str]:
    """Lines without what differs from training to training."""
    return [re.sub(r"[▁-█]+", "~", re.sub(r"\d+(\.\d+)?", "0", line)) for line in text.splitlines()]


@pytest.mark.usefixtures("place")
def test_it_prints_what_the_page_shows() -> None:
    (words,) = command_lines("console")
    (block,) = (block.text for block in blocks(PAGE) if block.language == "console")
    assert alike(printed(words)) == alike(block.split("\n", 1)[1])
