from pathlib import Path

import pytest

from paretoserve.demo.run import DEV_EXAMPLES, LAYERS, TRAIN_STEPS
from paretoserve.demo.task import examples
from paretoserve.demo.training import BATCH, PIECES, evaluate, train
from recipes.data.wordpieces import learn_word_pieces


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_model_learns_the_task(tmp_path: Path) -> None:
    every = examples(seed=0, count=TRAIN_STEPS * BATCH + DEV_EXAMPLES)
    train_examples, dev_examples = every[DEV_EXAMPLES:], every[:DEV_EXAMPLES]
    tokenizer = learn_word_pieces([example.text for example in train_examples[:3000]], PIECES)
    model = train(tokenizer, train_examples, LAYERS, tmp_path, lambda what, part: None)
    assert evaluate(model, tokenizer, dev_examples) >= 0.95
