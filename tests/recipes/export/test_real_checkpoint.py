"""The recipes on a real model: a BERT classifier of SST-2, where a copy lies beside the repository."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import pytest

from handlers.tasks.text_classification import TextClassification
from recipes.data.rows import load_data
from recipes.data.tokens import Packed, load_tokenizer, packed
from recipes.export.precisions import Precision
from recipes.export.variant import ExportInput, export

SHARED = Path(__file__).parents[4] / "shared"
CHECKPOINT, DATA = SHARED / "checkpoints/sst2-minilm", SHARED / "data/glue/sst2"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHECKPOINT.is_dir() and DATA.is_dir()), reason="no ../shared with the SST-2 checkpoint and data"
    ),
]


def engines(folder: Path) -> dict[str, Callable[[Packed], int]]:
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return {
        "onnxruntime": lambda inputs: int(np.argmax(session.run(None, inputs)[0])),
        "openvino": lambda inputs: int(np.argmax(compiled(inputs)[0])),
    }


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("precision", "least"), [("fp32", 784), ("int8", 777)])
def test_accuracy_on_sst2_stays_within_a_point(precision: Precision, least: int, tmp_path: Path) -> None:
    data = load_data(str(DATA), TextClassification(("negative", "positive")).target)
    assert data.train is not None
    texts = tuple((row.text, row.text_pair) for row in data.train.rows)
    export(ExportInput(CHECKPOINT, texts, tmp_path, lambda step, done: None), precision)
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json", 128)
    rows = [(packed(tokenizer, (row.text, row.text_pair)), row.target) for row in data.evaluation.rows]
    assert len(rows) == 872
    correct = {name: sum(ask(inputs) == label for inputs, label in rows) for name, ask in engines(tmp_path).items()}
    assert min(correct.values()) >= least, correct
