"""The real thing on a tiny checkpoint: chains trained, exported, asked and kept or not. Speeds alone are made up."""

import random
import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from model_store.errors import BackendError, DataError
from model_store.manifest import Artifact, Manifest, Speed, read_manifest
from networks.checkpoint import load_checkpoint, save_checkpoint
from paretoserve.builds.auto import building, run
from paretoserve.builds.auto.budget import Budget
from paretoserve.builds.auto.chains import Catalogue, Chain, LeftOut
from paretoserve.builds.auto.record import Try
from paretoserve.builds.auto.request import AutoRequest, auto_request
from paretoserve.builds.auto.run import Chosen, choose
from paretoserve.builds.auto.table import chosen_table, print_chosen
from paretoserve.builds.build import BuildRequest
from recipes.training import loop
from tests.conftest import BuiltOnce
from tests.tiny import VOCABULARY, packed_texts, tiny_checkpoint, torch_logits

pytestmark = pytest.mark.timeout(300)

CHAINS = Catalogue(
    (
        Chain("", "int8"),
        # Nearly all of the weights are zero, and nobody has time to learn to do without them.
        Chain("sparse:99:global:0.1", "int8", 0.3, 0.1),
        Chain("layers:1:0.1", "dense", 0.99, 0.1),
    ),
    (LeftOut("bf16", "there is none"),),
)
SPEEDS = {"dense": 100.0, "int8": 250.0, "sparse:99:global:0.1+int8": 900.0, "layers:1:0.1": 180.0}


def write_data(checkpoint: Path, folder: Path) -> Path:
    """Texts with the labels that the checkpoint itself gives them, far from undecided: it has all of them right."""
    dice = random.Random(0)
    words = [word for word in VOCABULARY if word.isalpha()]
    texts = list(dict.fromkeys(" ".join(dice.choices(words, k=dice.randint(2, 6))) for _ in range(600)))
    logits = torch_logits(checkpoint, packed_texts(checkpoint, [(text, None) for text in texts]))
    margins = logits[:, 1] - logits[:, 0]
    encoder = load_checkpoint(checkpoint)
    encoder.classifier.bias.data[0] += float(np.median(margins))
    save_checkpoint(encoder, checkpoint)
    margins -= np.median(margins)
    far = np.abs(margins) > np.quantile(np.abs(margins), 0.4)
    folder.mkdir()
    lines = [f"{text}\t{int(margin > 0)}" for text, margin, is_far in zip(texts, margins, far, strict=True) if is_far]
    for name, part in (("dev.tsv", lines[:20]), ("train.tsv", lines[20:])):
        (folder / name).write_text("\n".join(["sentence\tlabel", *part]) + "\n")
    return folder


@dataclass
class Measuring:
    """Speeds by recipe; fails where one is told to."""

    asked: list[str] = field(default_factory=list)
    fails: str | None = None

    def __call__(self, backend: str, artifact: Artifact, manifest: Manifest, folder: Path) -> Speed:
        recipe = manifest.technique.recipe
        self.asked.append(recipe)
        if recipe == self.fails:
            raise BackendError("The engine ended.")
        return Speed(tokens_per_s=SPEEDS[recipe], processor="this one")


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Measuring:
    made = Measuring()
    monkeypatch.setattr(building, "measured_speed", made)
    return made


def request_in(folder: Path, store: Path) -> AutoRequest:
    request = BuildRequest(str(folder / "tiny"), str(folder / "data"), ("auto",), store, max_drop=10.0)
    made = auto_request(request, "onnxruntime", None)
    assert made is not None
    return made


@pytest.fixture(scope="session")
def begun(built_once: BuiltOnce) -> Path:
    """A folder with a checkpoint and data, and a store that has the dense variant and what is known of it."""

    def begin(folder: Path) -> Path:
        write_data(tiny_checkpoint(folder / "tiny"), folder / "data")
        choose(request_in(folder, folder / "store"), Catalogue(()))
        return folder

    return built_once("auto", begin)


@pytest.fixture
def asked(begun: Path, tmp_path: Path) -> AutoRequest:
    shutil.copytree(begun / "store", tmp_path / "store")
    return request_in(begun, tmp_path / "store")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of all steps that were trained."""
    done: list[int] = []
    change = loop._Run._change_weights

    def counted(self: object, batch: object, step: int) -> float:
        done.append(step)
        return change(self, batch, step)  # type: ignore[arg-type]

    monkeypatch.setattr(loop._Run, "_change_weights", counted)
    return done


def tries_of(chosen: Chosen) -> dict[str, Try]:
    return {one.recipe: one for one in chosen.record.tries}


def variants(asked: AutoRequest) -> list[str]:
    return sorted(path.parent.name for path in asked.build.store.glob("*/*/variant.json"))


def test_what_holds_is_in_the_store_and_what_fell_is_not(
    asked: AutoRequest, measuring: Measuring, steps: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = choose(asked, CHAINS)
    tries = tries_of(chosen)
    assert {one.recipe: one.verdict for one in chosen.record.tries} == {
        "int8": "kept",
        "sparse:99:global:0.1+int8": "fell",
        "layers:1:0.1": "not begun",
        "bf16": "left out",
    }
    assert variants(asked) == ["dense", "int8"]
    assert (tries["int8"].gain, tries["int8"].why) == (2.5, "the fastest that holds")
    fell = tries["sparse:99:global:0.1+int8"]
    assert fell.drop is not None
    assert fell.drop > 10
    assert fell.why == f"loses {fell.drop:.2f} points; at most 10 may be lost"
    assert "no more than the 2.5 x measured of int8" in tries["layers:1:0.1"].why
    assert set(read_manifest(chosen.folder / "int8").artifacts) == {"onnxruntime"}
    assert measuring.asked == ["dense", "int8"] * 5, "what fell is not measured"
    assert chosen.record.dense is not None
    assert chosen.record.dense.validation.value == 1.0
    assert steps
    assert_shown(chosen)
    print_chosen(chosen)
    assert "The fastest that loses at most 10 points on onnxruntime: tiny/int8, 2.5 x dense." in capsys.readouterr().out


def assert_shown(chosen: Chosen) -> None:
    """The table has a row for dense and each chain."""
    table = chosen_table(chosen)
    cells = {row[0]: row[1:] for row in zip(*(column.cells for column in table.columns), strict=True)}
    assert list(cells) == ["dense", *(chain.recipe for chain in CHAINS.chains), "bf16"]
    assert table.columns[3].header == "lost on 34 rows of train (95%)"
    assert cells["dense"][3].startswith("100.00% (")
    assert cells["int8"][:2] == ("2.5 x", "2.5 x")
    assert re.match(r"-?\d+\.\d\d \([+-]\d+\.\d\.\.[+-]\d+\.\d\)$", str(cells["int8"][2]))
    assert cells["int8"][5] == "kept: the fastest that holds"
    assert cells["bf16"] == (*("\N{EN DASH}",) * 5, "left out: there is none")


def test_the_same_command_again_trains_and_measures_nothing(
    asked: AutoRequest, measuring: Measuring, steps: list[int]
) -> None:
    first = choose(asked, CHAINS)
    before = {file: file.stat().st_mtime_ns for file in asked.build.store.rglob("model.onnx")}
    measuring.asked.clear()
    steps.clear()
    assert choose(asked, CHAINS) == first
    assert (measuring.asked, steps) == ([], [])
    assert {file: file.stat().st_mtime_ns for file in asked.build.store.rglob("model.onnx")} == before


def test_neither_other_wishes_nor_a_deleted_variant_are_trained_for_anew(
    asked: AutoRequest, measuring: Measuring, steps: list[int]
) -> None:
    chains = Catalogue(CHAINS.chains[2:])
    strict = replace(asked, max_drop=-100.0, build=replace(asked.build, max_drop=-100.0))
    assert tries_of(choose(strict, chains))["layers:1:0.1"].verdict == "fell"
    assert variants(asked) == ["dense"]
    assert steps
    steps.clear()
    generous = replace(asked, max_drop=100.0, build=replace(asked.build, max_drop=100.0))
    chosen = choose(generous, chains)
    assert tries_of(chosen)["layers:1:0.1"].verdict == "kept"
    assert variants(asked) == ["dense", "layers-1-0.1"]
    shutil.rmtree(chosen.folder / "layers-1-0.1")
    assert tries_of(choose(generous, chains))["layers:1:0.1"].verdict == "kept"
    assert variants(asked) == ["dense", "layers-1-0.1"]
    assert steps == []


def test_a_chain_that_fails_is_told_of_and_tried_again_and_what_is_no_faster_is_no_variant(
    asked: AutoRequest, measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    chains = Catalogue(CHAINS.chains[2:])
    generous = replace(asked, max_drop=100.0, build=replace(asked.build, max_drop=100.0))
    measuring.fails = "layers:1:0.1"
    failed = tries_of(choose(generous, chains))["layers:1:0.1"]
    assert (failed.verdict, failed.why) == ("failed", "The engine ended.")
    measuring.fails = None
    monkeypatch.setitem(SPEEDS, "layers:1:0.1", 90.0)
    chosen = choose(generous, chains)
    assert tries_of(chosen)["layers:1:0.1"].why == "no faster than dense, 0.90 x"
    assert variants(asked) == ["dense"]
    assert not [path for path in chosen.folder.iterdir() if path.name.startswith(".")], "nothing half-made remains"


def test_a_dense_variant_that_fails_ends_it(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request_in(begun, tmp_path / "store")

    def fails(*given: object) -> None:
        raise BackendError("The engine ended.")

    monkeypatch.setattr(building, "build_variant", fails)
    with pytest.raises(BackendError):
        choose(asked, CHAINS)
    assert variants(asked) == []


def test_when_the_time_is_up_a_training_is_ended_and_the_same_command_goes_on_with_it(
    asked: AutoRequest,
    measuring: Measuring,
    steps: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chains = Catalogue((Chain("layers:1:1", "dense", 0.5, 1.0), Chain("layers:1:2", "dense", 0.6, 2.0)))
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    with monkeypatch.context() as patch:
        # An hour that is over once three steps were trained.
        patch.setattr(run, "Budget", lambda seconds: Budget(seconds, now=lambda: 1e9 * (len(steps) > 2)))
        stopped = choose(asked, chains)
    assert steps == [0, 1, 2]
    assert {one.recipe: one.verdict for one in stopped.record.tries} == {
        "layers:1:1": "stopped",
        "layers:1:2": "not begun",
    }
    why = tries_of(stopped)["layers:1:1"].why
    assert re.fullmatch(r"the time budget was over at 'layers: step 3 of \d+'", why)
    print_chosen(stopped)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Nothing that is faster than dense on onnxruntime loses at most 10 points.",
        "The time budget was over; the same command goes on from there.",
    ]
    assert variants(asked) == ["dense"]
    steps.clear()
    gone_on = choose(asked, chains)
    assert steps[0] == 3
    assert {one.verdict for one in gone_on.record.tries} <= {"kept", "fell", "not begun"}


def test_without_rows_to_train_on_nothing_is_begun(begun: Path, tmp_path: Path) -> None:
    asked = request_in(begun, tmp_path / "store")
    alone = replace(asked, build=replace(asked.build, data=str(begun / "data" / "dev.tsv")))
    with pytest.raises(DataError, match=r"^--recipe auto needs a train split, which 'data' lacks; .* beside dev\.\*"):
        choose(alone, CHAINS)
    assert not asked.build.store.exists()
