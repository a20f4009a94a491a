"""What every step must keep to: one line per step, as a recipe spells it."""

import multiprocessing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store.manifest import read_manifest
from networks.config import read_shape
from paretoserve.cli import app
from recipes.grammar import parse_recipe, spelled
from recipes.steps.base import ChecksShape
from recipes.steps.catalogue import STEPS
from tests.recipes.steps.process import do_steps
from tests.tiny import TEXTS, tiny_checkpoint

CASES: tuple[str, ...] = (
    # Quick on a tiny checkpoint.
    "layers:1:3",
    "sparse:80:global:3",
    "sparse:70:block4:3",
    "nas:error<=dense+50:2:2:13",
    "movement:macs<=60%:6",
    "qat:2",
)

# What a step needs is imported once, not by each of its processes.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([do_steps.__module__])

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("recipe", CASES)]


@dataclass(frozen=True, slots=True)
class Run:
    """A process that does a step."""

    checkpoint: Path
    data: Path
    work: Path
    seed: int = 0
    told: list[float] = field(default_factory=list)

    def finish(self, recipe: str, kill_at: float = 2.0) -> Path | None:
        """The folder of the checkpoint that the step made, or None if it was killed on its way."""
        self.told.clear()
        listening, talking = PROCESSES.Pipe()
        process = PROCESSES.Process(
            target=do_steps, args=(recipe, self.checkpoint, str(self.data), self.work, self.seed, talking)
        )
        process.start()
        talking.close()
        try:
            while not isinstance(said := listening.recv(), Path):
                self.told.append(said)
                if said >= kill_at:
                    process.kill()
                    return None
                listening.send("go on")
            return said
        finally:
            process.join()
            listening.close()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    data = tmp_path / "data"
    data.mkdir()
    write_rows(data / "train.tsv", 16)
    write_rows(data / "dev.tsv", 1)
    return Run(tiny_checkpoint(tmp_path / "tiny"), data, tmp_path / "work")


def write_rows(file: Path, times: int) -> None:
    rows = [f"{text}\t{i % 2}" for i, (text, _) in enumerate(TEXTS * times)]
    file.write_text("sentence\tlabel\n" + "\n".join(rows) + "\n")


def weights(checkpoint: Path | None) -> bytes:
    assert checkpoint is not None
    return (checkpoint / "model.safetensors").read_bytes()


def test_killed_and_started_again_it_ends_at_the_same_weights(recipe: str, run: Run, tmp_path: Path) -> None:
    made = replace(run, work=tmp_path / "uninterrupted").finish(recipe)
    expected = weights(made)
    assert_no_larger_than_told(recipe, run.checkpoint, made)
    assert expected != weights(run.checkpoint), "it changed nothing"
    assert run.finish(recipe, kill_at=0.5) is None
    killed_at = run.told[-1]
    assert weights(run.finish(recipe)) == expected
    assert run.told[0] > killed_at, "it began anew"


def assert_no_larger_than_told(recipe: str, checkpoint: Path, made: Path | None) -> None:
    """A step that says what it makes at most keeps to that; all others leave the shape as it is, or cut of it."""
    assert made is not None
    (step,), largest, found = parse_recipe(recipe, STEPS).steps, read_shape(checkpoint), read_shape(made)
    if isinstance(step, ChecksShape):
        largest = step.shape_after(largest)
    for ours, most in ((found.heads, largest.heads), (found.units, largest.units)):
        assert len(ours) <= len(most)
        assert max(ours) <= max(most)


def test_a_variant_has_the_step_in_its_lineage(recipe: str, run: Run, tmp_path: Path) -> None:
    words = ["build", "--checkpoint", run.checkpoint, "--data", run.data, "--recipe", f"{recipe}+int8"]
    options = ["--backend", "onnxruntime", "--seed", "3", "--store", tmp_path]
    done = CliRunner().invoke(app, [str(word) for word in (*words, *options)])
    assert done.exit_code == 0, done.output
    parsed = parse_recipe(f"{recipe}+int8", STEPS)
    manifest = read_manifest(tmp_path / "tiny" / parsed.name)
    assert manifest.technique.recipe == f"{recipe}+int8"
    (step,) = manifest.lineage
    assert (step.step, step.seed) == (parsed.steps[0].name, 3)
    assert spelled(STEPS[step.step](**step.parameters)) == recipe
    assert step.seconds > 0
