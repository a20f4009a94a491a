"""Fine-tune: a pretrained encoder and data become a checkpoint, in a folder that is written whole or not at all."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import StoreError
from model_store.manifest import TOKENIZER_FILE
from model_store.store import staging
from networks.config import read_shape
from paretoserve.finetuning.chart import CHART_FILE, training_svg
from paretoserve.finetuning.data import read_labelled
from paretoserve.terminal.progress import errors, progress
from recipes.data.checkpoint import fetch_checkpoint
from recipes.data.rows import Columns
from recipes.finetuning.beginning import Beginning, begin
from recipes.finetuning.record import TRAINING_FILE, Training, read_training
from recipes.finetuning.run import finetune as finetune_in
from recipes.finetuning.settings import FinetuneInput, FinetuneSettings
from recipes.finetuning.unlabelled import unlabelled_rows
from recipes.work.disk import written_in

WORK_FOLDER = ".finetuning"
"""Beside the checkpoint: what survives a kill, a folder per checkpoint."""


_WRITTEN = {"config.json", "model.safetensors", TOKENIZER_FILE, TRAINING_FILE, CHART_FILE}


@dataclass(frozen=True, slots=True)
class FinetuneRequest:
    """Train `checkpoint` (a folder or a Hub id, None for a small encoder from nothing) on data (a folder or a Hub id).

    The result is the folder `out`. `teacher` is a folder or a Hub id; `unlabelled` a file of texts for it.
    """

    data: str
    out: Path
    settings: FinetuneSettings
    checkpoint: str | None = None
    teacher: str | None = None
    unlabelled: Path | None = None
    columns: Columns = Columns()


def finetune(request: FinetuneRequest) -> Training:
    """Do what is asked, or what is left of it; a training that was finished in the folder is not done again.

    Raises:
        UnsupportedCheckpoint: the checkpoint or the teacher cannot be read, or the teacher knows other labels.
        DataError: the data cannot be read, or nothing can be learnt from it.
        StoreError: the folder holds something else, or cannot be written.
    """
    training = _training_in(request.out)
    given = _input(request)
    out, name = request.out.resolve(), given.fingerprint()
    work = out.parent / WORK_FOLDER / out.name
    with written_in(out):
        if training is not None and training.fingerprint == name:
            _say(f"{out.name!r} was trained so already; nothing is left to do.")
        else:
            training = _train(given, out, work / name)
        _remove(work)
    return training


def _training_in(out: Path) -> Training | None:
    """What was trained into the folder before; whatever else lies there must not be lost."""
    found = {file.name for file in out.iterdir()} if out.is_dir() else {out.name} if out.exists() else set()
    if found and (TRAINING_FILE not in found or not found <= _WRITTEN):
        raise StoreError(f"{out.name!r} holds something that no fine-tuning wrote; give --out a folder of its own.")
    return read_training(out)


def _remove(work: Path) -> None:
    """The work on a checkpoint that is written, and the folder of all such work where this was the last."""
    shutil.rmtree(work, ignore_errors=True)
    if work.parent.is_dir() and not any(work.parent.iterdir()):
        work.parent.rmdir()


def _say(sentence: str) -> None:
    errors.print(sentence, markup=False, soft_wrap=True)


def _input(request: FinetuneRequest) -> FinetuneInput:
    checkpoint = fetch_checkpoint(request.checkpoint) if request.checkpoint else None
    teacher = fetch_checkpoint(request.teacher) if request.teacher else None
    known = [read_shape(one).labels for one in (teacher, checkpoint) if one]
    labels, train, evaluation = read_labelled(request.data, request.columns, known)
    unlabelled = unlabelled_rows(request.unlabelled, request.columns, train, evaluation) if request.unlabelled else ()
    return FinetuneInput(checkpoint, labels, train, evaluation, request.settings, teacher, unlabelled)


def _train(given: FinetuneInput, out: Path, work: Path) -> Training:
    beginning = begin(given, work)
    for line in _announced(given, beginning):
        _say(line)
    with progress(f"Training {out.name}") as report:
        finetuned = finetune_in(given, beginning, work, report)
    with staging(out) as folder:
        finetuned.write(folder)
        (folder / CHART_FILE).write_text(training_svg(finetuned.training, out.name))
    return finetuned.training


def _announced(given: FinetuneInput, beginning: Beginning) -> Iterator[str]:
    """What a person should know before hours of training."""
    yield f"Labels: {', '.join(given.labels)}."
    if given.checkpoint is None:
        yield "Without --checkpoint a small encoder begins with nothing, its word pieces learnt from the texts."
    elif beginning.drawn:
        parts = " and ".join(beginning.drawn)
        yield f"{given.checkpoint.name!r} has no {parts} for these labels: drawn from seed {given.settings.seed}."
    if given.unlabelled:
        yield f"{len(given.unlabelled)} texts without labels, for which the teacher answers."
