"""Recipes that cannot be read, as people meet them: at the command line, before anything is read or made."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store.errors import RecipeError
from paretoserve.cli import app

NOTHING = ("build", "--checkpoint", "./no-such-checkpoint", "--data", "no-such.tsv", "--recipe")


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("int3", "there is no 'int3', perhaps 'int8' is meant; accepted are the steps "),
        ("quux:3+int8", "there is no 'quux'; accepted are the steps "),
        ("int8:4", "gives int8 a parameter, but a precision has none; write 'int8'."),
        ("int8+layers:3", "goes on after int8, which is a precision and comes last; write 'layers:3+int8'."),
        ("bf16+int8", "has 2 precisions, bf16 and int8; keep one, at the end."),
        ("int8+", "has an empty part; accepted are the steps "),
    ],
)
def test_a_recipe_that_cannot_be_read_is_told_before_anything_is_read(recipe: str, message: str) -> None:
    done = CliRunner().invoke(app, [*NOTHING, "dense", "--recipe", recipe])
    assert isinstance(done.exception, RecipeError)
    assert str(done.exception).startswith(f"Recipe {recipe!r}")
    assert f" {message}" in str(done.exception)


def test_it_is_one_sentence_and_an_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paretoserve", *NOTHING, "int8+layers:3", "--store", str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: Recipe 'int8+layers:3' goes on after int8")
    assert not (tmp_path / "store").exists()
