"""What `paretoserve build` cannot take, as people meet it: it says what is accepted, and writes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from model_store.errors import ParetoServeError
from paretoserve.cli import app
from tests.paretoserve.finetuning.films import write_films
from tests.tiny import tiny_checkpoint

pytestmark = pytest.mark.timeout(60)


def told(folder: Path, *recipes: str, options: tuple[str, ...] = ()) -> str:
    """What a build of these recipes says; it leaves no file behind."""
    words = ["build", "--checkpoint", str(folder / "tiny"), "--data", str(folder / "films"), "--backend", "onnxruntime"]
    asked = [word for recipe in recipes for word in ("--recipe", recipe)]
    done = CliRunner().invoke(app, [*words, *asked, *options, "--store", str(folder / "store")])
    assert isinstance(done.exception, ParetoServeError), done.output
    assert not [one for one in (folder / "store").rglob("*") if one.is_file()]
    return str(done.exception)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_films(tmp_path / "films")
    tiny_checkpoint(tmp_path / "tiny")
    return tmp_path


def another_kind(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "t5"}))


def without_classifier(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    save_file({name: one for name, one in load_file(weights).items() if not name.startswith("classifier")}, weights)


def pickled(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")


def cut_off(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:50_000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (another_kind, "config.json of 'tiny' has model_type = 't5'; only these architectures are read: bert."),
        (
            without_classifier,
            "The weights of 'tiny' are not those of a fine-tuned bert classifier (Missing key(s) in state_dict: "
            '"classifier.weight", "classifier.bias"); give one, or make one of it with \'paretoserve finetune\'.',
        ),
        (pickled, "'tiny' has no model.safetensors; save it again with save_pretrained(..., safe_serialization=True)"),
        (cut_off, "model.safetensors of 'tiny' cannot be read ("),
    ],
)
def test_no_classifier_of_a_kind_that_is_read(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder / "tiny")
    assert told(folder, "dense").startswith(message)


@pytest.mark.parametrize("name", ["train", "dev"])
@pytest.mark.parametrize("label", ["awful", "2", "-1"])
def test_labels_that_do_not_match(folder: Path, name: str, label: str) -> None:
    with (folder / "films" / f"{name}.tsv").open("a") as file:
        file.write(f"a film\t{label}\n")
    line = {"train": 162, "dev": 52}[name]
    assert told(folder, "dense") == (
        f"Line {line} of '{name}.tsv' has label {label!r}, which the model does not know; its labels are 'negative', "
        "'positive', or their indices from 0."
    )


@pytest.mark.parametrize("percent", ["100", "1.0", "0.8", "0", "99.5", "nan"])
def test_a_share_of_zeros_that_makes_no_sense(folder: Path, percent: str) -> None:
    assert told(folder, "dense", f"sparse:{percent}") == (
        f"Recipe 'sparse:{percent}' gives sparse '{percent}' as percent, which must be a number from 5 to 99."
    )


@pytest.mark.parametrize("recipe", ["layers:9", "sparse:50+layers:9", "nas:largest+layers:9", "layers:9+int8"])
def test_more_layers_than_there_are(folder: Path, recipe: str) -> None:
    assert told(folder, "dense", recipe) == (
        "layers:9 asks for more layers than the 2 that the checkpoint has; give from 1 to 2."
    )


@pytest.mark.parametrize("content", ["", "sentence\tlabel\n"])
@pytest.mark.parametrize("name", ["train", "dev"])
def test_a_file_without_rows(folder: Path, name: str, content: str) -> None:
    (folder / "films" / f"{name}.tsv").write_text(content)
    assert told(folder, "dense", "layers:1") == f"'{name}.tsv' has no rows; give a file with at least one."


@pytest.mark.parametrize(
    ("recipe", "options"), [("layers:1", ()), ("qat+int8", ()), ("int8", ("--max-drop", "1"))], ids=str
)
def test_rows_of_one_class_to_train_on(folder: Path, recipe: str, options: tuple[str, ...]) -> None:
    (folder / "films" / "train.tsv").write_text("sentence\tlabel\na film\t1\na plot\t1\n")
    assert told(folder, "dense", recipe, options=options) == (
        "All rows of the train split of 'films' have the same label; give rows of two labels at least to train on."
    )
