from pathlib import Path

import pytest

from paretoserve.demo.run import DEV_EXAMPLES, FEW_LAYERS, LAYERS, TRAIN_STEPS
from paretoserve.demo.task import Example, examples
from paretoserve.demo.training import BATCH, PIECES, evaluate, train
from recipes.data.wordpieces import learn_word_pieces


@pytest.fixture(scope="module")
def data() -> tuple[list[Example], list[Example]]:
    every = examples(seed=0, count=TRAIN_STEPS * BATCH + DEV_EXAMPLES)
    return every[DEV_EXAMPLES:], every[:DEV_EXAMPLES]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_dense_model_learns_the_task_and_one_layer_cannot(
    data: tuple[list[Example], list[Example]], tmp_path: Path
) -> None:
    train_examples, dev_examples = data
    tokenizer = learn_word_pieces([example.text for example in train_examples[:3000]], PIECES)

    def accuracy(layers: int) -> float:
        model = train(tokenizer, train_examples, layers, tmp_path / str(layers), lambda what, part: None)
        return evaluate(model, tokenizer, dev_examples)

    dense, shallow = accuracy(LAYERS), accuracy(FEW_LAYERS)
    assert dense >= 0.95
    assert shallow <= dense - 0.1
