from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from handlers.backends.base import ArtifactFile, Placement
from handlers.loading import Parts, load_pipeline
from handlers.tasks.base import Reach
from handlers.tasks.text_classification import TextClassification
from model_store.errors import BackendError
from model_store.rows import Row
from tests.handlers.variants import copy_of


def parts(folder: Path, task: Any) -> Parts:
    return Parts(ArtifactFile(folder / "model.onnx", max_tokens=32), folder / "tokenizer.json", task)


def test_a_pipeline_needs_no_manifest(dense: Path, tmp_path: Path) -> None:
    folder = copy_of(dense, tmp_path / "bare")
    (folder / "variant.json").unlink()
    pipeline = load_pipeline(parts(folder, TextClassification(("no", "yes"))), "onnxruntime", Placement())
    numbers, answer = pipeline.ask(Row("a good film", None, None))
    assert (len(numbers), answer["label"]) == (2, "yes" if numbers[1] > numbers[0] else "no")
    assert pipeline.tokenizer.max_tokens == 32


@dataclass(frozen=True)
class Tagging(TextClassification):
    reach: ClassVar[Reach] = "token"


def test_a_task_that_needs_numbers_for_each_token_is_refused_as_long_as_no_backend_gives_them(dense: Path) -> None:
    with pytest.raises(BackendError, match="Task Tagging needs numbers for each token; no backend gives those yet"):
        load_pipeline(parts(dense, Tagging(("noun", "verb"))), "onnxruntime", Placement())
