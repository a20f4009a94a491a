"""`auto`: chains are tried for one engine, what holds the accuracy is kept, and it is said why the others are not."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from handlers.backends.processor import processor
from model_store.errors import DataError
from networks.config import read_shape
from paretoserve.builds.auto.budget import Budget
from paretoserve.builds.auto.building import ChainBuilder, Workshop, built_dense
from paretoserve.builds.auto.chains import Catalogue, catalogue
from paretoserve.builds.auto.deciding import Plan, decide
from paretoserve.builds.auto.record import RECORD_FILE, Record, Try, read_record, write_record
from paretoserve.builds.auto.request import AutoRequest
from paretoserve.builds.build import Sources
from paretoserve.builds.task import checkpoint_task, task_name
from recipes.data.checkpoint import checkpoint_hashes, fetch_checkpoint
from recipes.data.rows import load_data
from recipes.data.validation import split_off_validation
from recipes.grammar import AUTO
from recipes.work.disk import written_in
from recipes.work.folder import fingerprint


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was found, for a model whose variants lie in `folder`."""

    folder: Path
    record: Record


def choose(asked: AutoRequest, chains: Catalogue | None = None) -> Chosen:
    """Try the chains of the catalogue, or `chains`; what was decided before by the same command stands.

    Raises:
        DataError: the data cannot be read, or has no train split.
        ParetoServeError: the checkpoint cannot be read, or the dense variant cannot be built.
    """
    budget = Budget(asked.budget_s)
    shop, record = _begun(asked)
    file = shop.folder(RECORD_FILE)
    record = msgspec.structs.replace(record, dense=built_dense(shop, record.dense))
    assert record.dense is not None, "this is a bug: it was just built"

    def keep(tries: list[Try]) -> None:
        nonlocal record
        record = msgspec.structs.replace(record, tries=tries)
        with written_in(file):
            write_record(record, file)

    keep(record.tries)
    found = chains or _catalogue(shop)
    plan = Plan(found.chains, found.left_out, asked.max_drop, record.tries, keep)
    decide(plan, ChainBuilder(shop, record.dense), budget)
    return Chosen(file.parent, record)


def _catalogue(shop: Workshop) -> Catalogue:
    from recipes.export.catalogue import EXPORTERS
    from recipes.export.precisions import PRECISIONS

    written = EXPORTERS[shop.target].precisions
    words = [word for word, precision in PRECISIONS.items() if precision in written]
    return catalogue(shop.target, words, read_shape(shop.sources.checkpoint).layers)


def _begun(asked: AutoRequest) -> tuple[Workshop, Record]:
    """What chains are built with, and what is known of them."""
    sources = _sources(asked)
    train = sources.data.train
    if train is None:
        raise DataError(
            f"--recipe {AUTO} needs a train split, which {sources.data.evaluation.dataset!r} lacks; give a folder with "
            f"train.* beside {sources.data.evaluation.split}.* to train on."
        )
    _, validation = split_off_validation(train, asked.build.seed)
    key = _key(asked, sources)
    shop = Workshop(sources, asked.target, asked.max_drop, validation, sources.work / f"auto.{key}")
    known = read_record(shop.folder(RECORD_FILE), key)
    if known is None or known.max_drop != asked.max_drop:
        known = Record(
            key=key,
            target=asked.target,
            processor=str(processor()),
            max_drop=asked.max_drop,
            validation_rows=len(validation.rows),
            dense=known.dense if known else None,
        )
    return shop, known


def _sources(asked: AutoRequest) -> Sources:
    request = asked.build
    checkpoint = fetch_checkpoint(request.checkpoint)
    data = load_data(request.data, checkpoint_task(request.task, checkpoint).target, request.columns)
    return Sources(request, checkpoint, data, request.name or checkpoint.resolve().name)


def _key(asked: AutoRequest, sources: Sources) -> str:
    """A name for all that measured figures depend on."""
    request, checkpoint = sources.request, sources.checkpoint
    return fingerprint(
        checkpoint_hashes(checkpoint),
        sources.data,
        task_name(request.task, checkpoint),
        request.max_tokens,
        request.seed,
        asked.target,
        str(processor()),
    )
