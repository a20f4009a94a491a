"""How long a text takes with an encoder of some shape: what steps that choose a shape ask for."""

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from handlers.tasks.catalogue import DEFAULT_TASK, settings_of, task_for
from handlers.trial import Trial
from model_store.manifest import TOKENIZER_FILE
from model_store.rows import Data
from paretoserve.measuring.logits import trial_outcomes
from serving.cpu_plan import usable_cores

if TYPE_CHECKING:
    from networks.encoder.shape import EncoderShape
    from recipes.data.tokens import Text
    from recipes.export.precisions import Precision

# The first texts are slower: engines prepare themselves for each length they meet.
TEXTS, ROUNDS = 50, 3


def latency_on(
    backend: str, precision: "Precision", checkpoint: Path, data: Data, max_tokens: int
) -> Callable[["EncoderShape"], float]:
    """A function that measures the seconds a text of the data takes on `backend`, of an encoder of a shape.

    The median of some texts, asked one at a time by the interpreter that will serve the variant, on all cores.
    """

    def latency_s(shape: "EncoderShape") -> float:
        from recipes.data.tokens import spread

        rows = (data.train or data.evaluation).rows
        texts = spread([(row.text, row.text_pair) for row in rows], TEXTS)
        with TemporaryDirectory() as folder:
            return _median_s(_trial(shape, backend, precision, checkpoint, texts, max_tokens, Path(folder)))

    return latency_s


def _median_s(trial: Trial) -> float:
    """Of the texts after the first round."""
    arrivals = [time.perf_counter() for _ in trial_outcomes(trial)]
    warm = arrivals[len(arrivals) // ROUNDS - 1 :]
    return statistics.median(after - before for before, after in itertools.pairwise(warm))


def _trial(
    shape: "EncoderShape",
    backend: str,
    precision: "Precision",
    checkpoint: Path,
    texts: "list[Text]",
    max_tokens: int,
    folder: Path,
) -> Trial:
    """An encoder of the shape, written for the backend; its weights are random, which makes no difference in time."""
    from networks.checkpoint import save_checkpoint
    from networks.encoder.modules import PackedEncoder
    from recipes.data.tokenizer import write_tokenizer
    from recipes.export.variant import ExportInput, export

    random, out_dir = folder / "random", folder / "exported"
    out_dir.mkdir()
    save_checkpoint(PackedEncoder(shape), random)
    write_tokenizer(checkpoint, random)
    given = ExportInput(random, texts, out_dir, lambda what, done: None, max_tokens, (backend,))
    exported = export(given, precision)
    artifact = exported.artifacts[backend]
    return Trial(
        backend=backend,
        file=str(out_dir / artifact.file),
        precision=artifact.precision,
        layout=artifact.layout,
        tokenizer=str(out_dir / TOKENIZER_FILE),
        max_tokens=exported.max_tokens,
        # Which task it is makes no difference in time.
        task=DEFAULT_TASK,
        task_settings=settings_of(task_for(DEFAULT_TASK, exported.labels)),
        threads=len(usable_cores()),
        texts=tuple(texts) * ROUNDS,
    )
