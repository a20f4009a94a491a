"""What an artifact that is still in the making scores, asked of the engine that will serve it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from handlers.tasks.catalogue import settings_of
from handlers.trial import Trial
from model_store.manifest import TOKENIZER_FILE, Layout
from model_store.rows import Row
from paretoserve.builds.task import checkpoint_task, task_name
from paretoserve.measuring.logits import trial_outcomes
from serving.cpu_plan import usable_cores

if TYPE_CHECKING:
    from recipes.export.base import BuiltArtifact
    from recipes.max_drop import Limit


class Written(Protocol):
    """An artifact's file, as an exporter or a manifest tells of it."""

    @property
    def file(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def layout(self) -> Layout: ...


Answers = Callable[[str, Written, Path, int, tuple[Row, ...]], list[Any]]
"""What a backend's artifact, in a folder with its tokenizer, answers for rows; texts are cut at so many tokens."""


def answers_of(asked_task: str | None, checkpoint: Path) -> Answers:
    """A function that asks artifacts of a checkpoint, one text at a time."""
    name, settings = task_name(asked_task, checkpoint), settings_of(checkpoint_task(asked_task, checkpoint))

    def answers(backend: str, artifact: Written, folder: Path, max_tokens: int, rows: tuple[Row, ...]) -> list[Any]:
        trial = Trial(
            backend=backend,
            file=str((folder / artifact.file).absolute()),
            precision=artifact.precision,
            layout=artifact.layout,
            tokenizer=str((folder / TOKENIZER_FILE).absolute()),
            max_tokens=max_tokens,
            task=name,
            task_settings=settings,
            threads=len(usable_cores()),
            texts=tuple((row.text, row.text_pair) for row in rows),
        )
        return [outcome.answer for outcome in trial_outcomes(trial)]

    return answers


def limit_of(max_drop: float | None, asked_task: str | None, checkpoint: Path) -> "Limit | None":
    """What `int8` of a checkpoint may lose, with what measures it; None where nobody asks."""
    from recipes.max_drop import Limit

    if max_drop is None:
        return None
    task, answers = checkpoint_task(asked_task, checkpoint), answers_of(asked_task, checkpoint)

    def score(backend: str, artifact: "BuiltArtifact", folder: Path, max_tokens: int, rows: tuple[Row, ...]) -> float:
        return task.score(answers(backend, artifact, folder, max_tokens, rows), rows).value

    return Limit(max_drop, score)
