"""What every step must keep to: one line per step, as a recipe spells it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from model_store.manifest import read_manifest
from networks.config import read_shape
from recipes.grammar import parse_recipe, spelled
from recipes.steps.base import ChecksShape
from recipes.steps.catalogue import STEPS
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
        words = [recipe, self.checkpoint, self.data, self.work, self.seed]
        command = [sys.executable, "-m", "tests.recipes.steps.process", *map(str, words)]
        # Threads of such small products wait for each other most of the time.
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for line in process.stdout:
                said = json.loads(line)
                if isinstance(said, str):
                    return Path(said)
                self.told.append(said)
                if said >= kill_at:
                    process.kill()
                    return None
                process.stdin.write("\n")
                process.stdin.flush()
        raise AssertionError(f"the step ended with {process.returncode}")


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
    command = [sys.executable, "-m", "paretoserve", *map(str, words), "--backend", "onnxruntime", "--seed", "3"]
    done = subprocess.run([*command, "--store", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parsed = parse_recipe(f"{recipe}+int8", STEPS)
    manifest = read_manifest(tmp_path / "tiny" / parsed.name)
    assert manifest.technique.recipe == f"{recipe}+int8"
    (step,) = manifest.lineage
    assert (step.step, step.seed) == (parsed.steps[0].name, 3)
    assert spelled(STEPS[step.step](**step.parameters)) == recipe
    assert step.seconds > 0
