"""From an artifact to a pipeline: its engine, its tokenizer and its task, opened together."""

from dataclasses import dataclass
from pathlib import Path

from handlers.backends.base import ArtifactFile, Placement
from handlers.backends.catalogue import open_session
from handlers.pipeline import Pipeline
from handlers.tasks.base import AnyTask
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of. Texts are cut at `artifact.max_tokens`."""

    artifact: ArtifactFile
    tokenizer: Path
    task: AnyTask


def load_pipeline(parts: Parts, backend: str, placement: Placement) -> Pipeline:
    """Open the parts on a backend. A graph of a fixed width cuts texts there.

    Raises:
        BackendError: the engine cannot load the artifact, or cannot give what the task needs.
        StoreError: the tokenizer cannot be read.
    """
    if parts.task.reach != "text":
        raise BackendError(
            f"Task {type(parts.task).__name__} needs numbers for each token; no backend gives those yet, "
            "only numbers for each text."
        )
    session = open_session(backend, parts.artifact, placement)
    width = session.info.grid.width if session.info.grid else None
    longest = min(parts.artifact.max_tokens, width or parts.artifact.max_tokens)
    return Pipeline(session, TextTokenizer(parts.tokenizer, longest), parts.task)
