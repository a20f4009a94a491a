"""Tasks of GLUE as folders of data: whole, or the part of the train split that a search does not choose by."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.harness.places import RUNS, SHARED
from handlers.tasks.text_classification import TextClassification
from model_store.errors import DataError
from model_store.rows import Row, Split
from paretoserve.finetuning.data import read_labelled
from recipes.data.rows import Columns, load_data
from recipes.data.validation import split_off_validation, with_validation_share

GLUE = SHARED / "data" / "glue"

# A file beside the others of CoLA: with it, dev has all rows that GLUE's has.
OUT_OF_DOMAIN = "dev_ood.tsv"


@dataclass(frozen=True, slots=True)
class GlueTask:
    """A task's labels and rows."""

    labels: tuple[str, ...]
    train: Split
    evaluation: Split

    def without(self, share: float, seed: int) -> "GlueTask":
        """The same without the `share` of the train split that steps with this seed choose by."""
        kept, chosen_by = split_off_validation(self.train, seed)
        return replace(self, train=with_validation_share(kept, chosen_by, share, seed)[0])

    def first(self, rows: int | None) -> "GlueTask":
        """The first so many rows of each split, to try something out; all of them without a number."""
        train, evaluation = (replace(one, rows=one.rows[:rows]) for one in (self.train, self.evaluation))
        return replace(self, train=train, evaluation=evaluation)

    def written(self, name: str) -> Path:
        """A folder of this name with both splits, which is what the data is called."""
        folder = RUNS / "glue" / "data" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file, split in (("train.tsv", self.train), ("dev.tsv", self.evaluation)):
            (folder / file).write_text("".join(_lines(split.rows, self.labels)), encoding="utf-8")
        return folder


def read_task(name: str) -> GlueTask:
    """`rte` or another task, from the data beside the repository.

    Raises:
        DataError: it is not there.
    """
    folder = GLUE / name
    if not folder.is_dir():
        raise DataError(f"There is no data of {name}; put its train.tsv and dev.tsv into {str(folder)!r}.")
    labels, train, evaluation = read_labelled(str(folder), Columns(), ())
    if (further := folder / OUT_OF_DOMAIN).is_file():
        rows = load_data(str(further), TextClassification(labels).target).evaluation.rows
        evaluation = replace(evaluation, rows=(*evaluation.rows, *rows))
    return GlueTask(labels, train, evaluation)


def _lines(rows: Iterable[Row], labels: tuple[str, ...]) -> Iterable[str]:
    pairs = any(row.text_pair is not None for row in rows)
    yield "\t".join(["sentence1", "sentence2", "label"] if pairs else ["sentence", "label"]) + "\n"
    for row in rows:
        texts = [row.text, row.text_pair or ""] if pairs else [row.text]
        yield "\t".join([*texts, labels[row.target]]) + "\n"
