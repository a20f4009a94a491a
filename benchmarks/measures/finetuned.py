"""What the small encoder of `paretoserve finetune`, which begins with nothing, learns of SST-2 in two epochs."""

import tempfile
from pathlib import Path

import msgspec

from benchmarks.harness.glue import read_task
from benchmarks.harness.places import RUNS
from benchmarks.harness.results import PACKAGES, Result, make_result
from paretoserve.finetuning.run import FinetuneRequest, finetune
from recipes.finetuning.settings import FinetuneSettings

EPOCHS = 2


def measure_finetuned(seed: int, rows: int | None) -> Result:
    """With the settings that the command takes where it is told nothing else.

    Raises:
        DataError: SST-2 is not there.
    """
    task = read_task("sst2").first(rows)
    settings = FinetuneSettings(epochs=EPOCHS, batch=32, learning_rate=1e-3, seed=seed)
    with tempfile.TemporaryDirectory(dir=RUNS) as folder:
        training = finetune(FinetuneRequest(str(task.written("sst2")), Path(folder) / "small", settings))
    kept = {"epochs": EPOCHS, "seed": seed, "only_the_first_rows": rows}
    return make_result("finetuned", kept, [], msgspec.to_builtins(training), (*PACKAGES, "torch"))
