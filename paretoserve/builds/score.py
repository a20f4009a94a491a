"""What an artifact that is still in the making scores, asked of the engine that will serve it."""

from pathlib import Path
from typing import TYPE_CHECKING

from handlers.tasks.catalogue import settings_of
from handlers.trial import Trial
from model_store.manifest import TOKENIZER_FILE
from model_store.rows import Row
from paretoserve.builds.task import checkpoint_task, task_name
from paretoserve.measuring.logits import trial_outcomes
from serving.cpu_plan import usable_cores

if TYPE_CHECKING:
    from recipes.export.base import BuiltArtifact
    from recipes.max_drop import Limit


def limit_of(max_drop: float | None, asked_task: str | None, checkpoint: Path) -> "Limit | None":
    """What `int8` of a checkpoint may lose, with what measures it; None where nobody asks."""
    from recipes.max_drop import Limit

    if max_drop is None:
        return None
    task = checkpoint_task(asked_task, checkpoint)

    def score(backend: str, artifact: "BuiltArtifact", folder: Path, max_tokens: int, rows: tuple[Row, ...]) -> float:
        trial = Trial(
            backend=backend,
            file=str(folder / artifact.file),
            precision=artifact.precision,
            layout=artifact.layout,
            tokenizer=str(folder / TOKENIZER_FILE),
            max_tokens=max_tokens,
            task=task_name(asked_task, checkpoint),
            task_settings=settings_of(task),
            threads=len(usable_cores()),
            texts=tuple((row.text, row.text_pair) for row in rows),
        )
        return task.score([outcome.answer for outcome in trial_outcomes(trial)], rows).value

    return Limit(max_drop, score)
