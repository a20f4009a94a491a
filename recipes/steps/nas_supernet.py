"""One encoder whose weights are those of all its sub-networks: trained once, and kept for all steps that search it."""

import random
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from torch import Tensor

from model_store.manifest import TOKENIZER_FILE, sha256_of
from model_store.rows import Row
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PackedEncoder
from networks.encoder.prefix import shared_prefix
from recipes.data.tokens import load_tokenizer
from recipes.steps.base import StepInput
from recipes.steps.nas.importance import Origin, drop_order, importance_of, in_order
from recipes.steps.nas.sandwich import sandwich_loss
from recipes.steps.nas.space import Space
from recipes.steps.recovery import lesson_of
from recipes.training.batches import RowBatch, RowBatches
from recipes.training.device import has_fast_bf16, training_device
from recipes.training.evaluation import Evaluation
from recipes.training.loop import Checks, Hooks, TrainingSettings, train
from recipes.training.state import CurvePoint
from recipes.work.folder import fingerprint, write_whole
from recipes.work.progress import Progress, part_of

# Of the rows to choose by, sub-networks are evaluated on so many.
CHOOSING_ROWS = 2000

# Of the rows to train on, so many tell which parts matter.
IMPORTANCE_ROWS, DROPPING_ROWS = 2048, 256

CHECKS_PER_PASS = 4


@dataclass(frozen=True, slots=True)
class Sandwich:
    """How a super-network is trained: `passes` over the rows, with `drawn` sub-networks at random in each batch."""

    passes: float
    learning_rate: float = 5e-5
    batch: int = 32
    drawn: int = 2


@dataclass(frozen=True, slots=True)
class Supernet:
    """A trained super-network in `folder`, as a checkpoint."""

    folder: Path
    space: Space
    origin: Origin
    curve: list[CurvePoint]

    @property
    def checkpoint(self) -> Path:
        return self.folder / "supernet"


def trained_supernet(given: StepInput, how: Sandwich) -> Supernet:
    """The super-network of a checkpoint: trained once for all steps that ask for the same one."""
    folder = given.shared / f"nas.{_name(given, how)}"
    folder.mkdir(parents=True, exist_ok=True)
    origin = _origin(given, folder, part_of(given.report, 0, 20))
    finished = folder / "curve.json"
    space = Space(load_checkpoint(folder / "ordered").shape, origin.drop_order)
    if not finished.is_file():
        curve = _train(given, how, folder, space)
        write_whole(finished, msgspec.json.encode(curve))
    (folder / "training.safetensors").unlink(missing_ok=True)
    return Supernet(folder, space, origin, msgspec.json.decode(finished.read_bytes(), type=list[CurvePoint]))


def choosing_rows(given: StepInput) -> Evaluation:
    """The rows that sub-networks are compared on."""
    tokenizer = load_tokenizer(given.tokenizer, given.max_tokens)
    return Evaluation.of(tokenizer, _some(given.validation.rows, CHOOSING_ROWS, given.seed))


def _name(given: StepInput, how: Sandwich) -> str:
    """All that determines a super-network."""
    hashes = [sha256_of(given.checkpoint / name) for name in ("config.json", "model.safetensors")]
    teacher = sha256_of(given.teacher / "model.safetensors") if given.teacher else None
    return fingerprint(hashes, teacher, given.train, given.validation, given.max_tokens, given.seed, asdict(how))


def _origin(given: StepInput, folder: Path, report: Progress) -> Origin:
    """Order the heads and units of the checkpoint, and see which layers it can do without."""
    file = folder / "origin.json"
    if not file.is_file():
        report("measuring what matters", 0.0)
        encoder = load_checkpoint(given.checkpoint).to(training_device())
        tokenizer, rows = load_tokenizer(given.tokenizer, given.max_tokens), given.train.rows
        batches = RowBatches(tokenizer, _some(rows, IMPORTANCE_ROWS, given.seed), 32, given.seed)
        importance = importance_of(encoder, map(batches, range(batches.per_pass)))
        texts = Evaluation.of(tokenizer, _some(rows, DROPPING_ROWS, given.seed))
        choosing = choosing_rows(given)
        frequent = choosing.targets.bincount().max().item() / len(choosing.targets)
        origin = Origin(drop_order(encoder, texts), 1 - choosing.accuracy(encoder), 1 - frequent)
        save_checkpoint(in_order(encoder, importance), folder / "ordered")
        write_whole(file, msgspec.json.encode(origin))
    return msgspec.json.decode(file.read_bytes(), type=Origin)


def _train(given: StepInput, how: Sandwich, folder: Path, space: Space) -> list[CurvePoint]:
    encoder, choosing = load_checkpoint(folder / "ordered"), choosing_rows(given)
    lesson = lesson_of(given, part_of(given.report, 0, 10), how.batch)
    steps = lesson.steps(how.passes)
    half = space.subnetwork(space.scaled(0.5))

    def score(whole: PackedEncoder) -> float:
        return choosing.accuracy(shared_prefix(whole, half))

    def loss(whole: PackedEncoder, batch: RowBatch) -> Tensor:
        return sandwich_loss(whole, batch, lesson, space, how.drawn)

    def report(what: str, done: float) -> None:
        given.report(f"super-network, {what}", 0.1 + 0.9 * done)

    settings = TrainingSettings(steps, how.learning_rate, seed=given.seed, bf16=has_fast_bf16())
    # The last weights are kept, when the learning rate is down; the scores on the way are for the curve.
    checks = Checks(score, max(1, lesson.batches.per_pass // CHECKS_PER_PASS), since=steps)
    curve = train(encoder, lesson.batches, loss, settings, folder, report, Hooks(checks=checks))
    save_checkpoint(encoder, folder / "supernet")
    shutil.copyfile(given.tokenizer, folder / "supernet" / TOKENIZER_FILE)
    return curve


def _some(rows: tuple[Row, ...], count: int, seed: int) -> tuple[Row, ...]:
    if len(rows) <= count:
        return rows
    chosen = random.Random(seed).sample(range(len(rows)), count)  # noqa: S311  it needs no secrets
    return tuple(rows[i] for i in sorted(chosen))
