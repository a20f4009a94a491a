"""Steps done one after the other, each in a folder of its own: what is finished is not done again."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from model_store.manifest import TOKENIZER_FILE, LineageStep, sha256_of
from model_store.rows import Split
from networks.config import read_shape
from networks.encoder.shape import EncoderShape
from recipes.data.checkpoint import CHECKPOINT_FILES
from recipes.data.tokenizer import write_tokenizer
from recipes.data.validation import split_off_validation
from recipes.steps.base import ChecksShape, Step, StepInput
from recipes.work.folder import Clock, fingerprint, held, write_whole
from recipes.work.progress import Progress, part_of

# Of a step's folder.
_FINISHED, _CHECKPOINT, _WORK, _SECONDS = "finished.json", "checkpoint", "work", "seconds"

REPORT_FOLDER = "report"
"""In a checkpoint that a step made: what it has to say besides, charts and tables. Here and in a variant it lies in a
folder of that name, by step."""

# Beside the steps' folders.
_SHARED = "shared"


@dataclass(frozen=True, slots=True)
class ChainInput:
    """What a chain of steps begins with. `target` names what `latency_s` measures on; `work` is for their folders.

    `jobs` is how many processes a step may evaluate in at once.
    """

    checkpoint: Path
    train: Split
    max_tokens: int
    seed: int
    work: Path
    target: str
    latency_s: Callable[[EncoderShape], float]
    report: Progress
    jobs: int = 1


def check_steps(steps: Sequence[Step], shape: EncoderShape) -> None:
    """Refuse steps that a checkpoint of that shape is too small for, which takes no time.

    Raises:
        RecipeError: one of the steps cannot be done, whatever those before it make.
    """
    largest = shape
    for step in steps:
        if isinstance(step, ChecksShape):
            largest = step.shape_after(largest)


def run_steps(steps: Sequence[Step], given: ChainInput) -> tuple[Path, list[LineageStep]]:
    """The checkpoint that the steps end in, and what was done.

    Each step has a folder below `given.work`, called after all that determines its result. A step that was killed goes
    on in that folder, and one that was finished there, by whatever recipe, is not done again.

    Raises:
        RecipeError: a step cannot be done; before any is begun, where the checkpoint is too small for it. Or another
            process is doing it.
        DataError: there are too few rows.
    """
    check_steps(steps, read_shape(given.checkpoint))
    checkpoint, lineage, key = given.checkpoint, [], _begin(given)
    for i, step in enumerate(steps):
        key = fingerprint(key, step.name, asdict(step), given.target if step.uses_latency else None)
        folder = given.work / f"{step.name}.{key}"
        if not (folder / _FINISHED).is_file():
            _run(step, given, checkpoint, folder, part_of(given.report, i, len(steps)))
        lineage.append(msgspec.json.decode((folder / _FINISHED).read_bytes(), type=LineageStep))
        checkpoint = folder / _CHECKPOINT
    return checkpoint, lineage


def _begin(given: ChainInput) -> str:
    """The name of what all steps have in common."""
    files = [given.checkpoint / name for name in CHECKPOINT_FILES]
    hashes = {file.name: sha256_of(file) for file in files if file.is_file()}
    return fingerprint(hashes, given.train, given.max_tokens, given.seed)


def _run(step: Step, given: ChainInput, checkpoint: Path, folder: Path, report: Progress) -> None:
    """Do one step in its folder, where it may have been begun."""
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        # Another process may have finished it just before.
        if not (folder / _FINISHED).is_file():
            _run_alone(step, given, checkpoint, folder, report)


def _run_alone(step: Step, given: ChainInput, checkpoint: Path, folder: Path, report: Progress) -> None:
    work = folder / _WORK
    work.mkdir(exist_ok=True)
    clock = Clock(folder / _SECONDS)
    train, validation = split_off_validation(given.train, given.seed)
    done = step.run(
        StepInput(
            checkpoint=checkpoint,
            tokenizer=write_tokenizer(checkpoint, folder),
            max_tokens=given.max_tokens,
            train=train,
            validation=validation,
            teacher=given.checkpoint,
            seed=given.seed,
            work=work,
            shared=given.work / _SHARED,
            latency_s=given.latency_s if step.uses_latency else _undeclared,
            target=given.target if step.uses_latency else "",
            jobs=given.jobs,
            report=clock.around(lambda what, part: report(f"{step.name}: {what}", part)),
        )
    )
    _finish(step, given.seed, done, folder, clock.seconds(), checkpoint / REPORT_FOLDER)


def _undeclared(shape: EncoderShape) -> float:
    raise AssertionError("this is a bug: a step that asks for latencies says so in uses_latency")


def _finish(step: Step, seed: int, done: Path, folder: Path, seconds: float, reports: Path) -> None:
    """Keep the checkpoint of a step, and with the last write of all say that it is done.

    What the steps before reported, in `reports`, is kept with it.
    """
    kept = folder / _CHECKPOINT
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(done, kept, ignore=shutil.ignore_patterns(REPORT_FOLDER))
    for source, target in ((reports, REPORT_FOLDER), (done / REPORT_FOLDER, f"{REPORT_FOLDER}/{step.name}")):
        if source.is_dir():
            shutil.copytree(source, kept / target, dirs_exist_ok=True)
    shutil.copyfile(folder / TOKENIZER_FILE, kept / TOKENIZER_FILE)
    lineage = LineageStep(step=step.name, parameters=asdict(step), seed=seed, seconds=round(seconds, 1))
    write_whole(folder / _FINISHED, msgspec.json.encode(lineage))
    shutil.rmtree(folder / _WORK)
