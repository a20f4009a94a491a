"""A task on engines that do as they are told."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from handlers.pipeline import Pipeline
from handlers.tasks.text_classification import TextClassification
from handlers.tokens.padding import Grid
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError, BadInput
from model_store.rows import Row
from tests.handlers.sessions import INFO, FixedSession

TASK = TextClassification(("negative", "neutral", "positive"))
LOGITS = [[1.0, 2.0, 4.0], [4.0, 2.0, 1.0]]


def test_a_row_asked_alone_gives_its_numbers_and_its_answer(tokenizer: TextTokenizer) -> None:
    numbers, answer = Pipeline(FixedSession(LOGITS[:1]), tokenizer, TASK).ask(Row("good", "bad", None))
    assert numbers == LOGITS[0]
    assert answer["label"] == "positive"


def test_called_directly_it_takes_all_inputs_in_one_call_of_the_engine(tokenizer: TextTokenizer) -> None:
    session = FixedSession(LOGITS)
    assert len(Pipeline(session, tokenizer, TASK)(["one", "two"])) == 2
    assert [len(batch.inputs()["cls_index"]) for batch in session.asked] == [2]


def test_called_directly_it_refuses_what_http_would_refuse(tokenizer: TextTokenizer) -> None:
    with pytest.raises(BadInput, match="'topk' is not known"):
        Pipeline(FixedSession(LOGITS), tokenizer, TASK)("one", topk=2)


@pytest.mark.parametrize(
    "logits",
    [[[1.0, 2.0, 3.0]] * 2, [[1.0, 2.0]], [1.0, 2.0, 3.0], [[[1.0, 2.0, 3.0]]]],
    ids=["a row too many", "a label too few", "no rows", "a dimension too many"],
)
def test_wrong_rows_are_an_error_of_the_engine(tokenizer: TextTokenizer, logits: Any) -> None:
    pipeline = Pipeline(FixedSession(logits), tokenizer, TASK)
    with pytest.raises(BackendError, match=r"\(texts, numbers\) = \(1, 3\) was due"):
        pipeline("one")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_an_error_of_the_engine(tokenizer: TextTokenizer, number: float) -> None:
    pipeline = Pipeline(FixedSession([[0.0, number, 0.0]]), tokenizer, TASK)
    with pytest.raises(BackendError, match="not finite"):
        pipeline("one")


def padded_pipeline(tokenizer: TextTokenizer, grid: Grid, logits: Sequence[Sequence[float]]) -> Pipeline:
    return Pipeline(FixedSession(logits, replace(INFO, grid=grid)), tokenizer, TASK)


def test_rows_that_only_fill_a_padded_call_up_are_dropped(tokenizer: TextTokenizer) -> None:
    pipeline = padded_pipeline(tokenizer, Grid(rows=4), [[n, 0.0, 0.0] for n in range(4)])
    texts = [tokenizer("good")] * 6
    assert [numbers[0] for numbers in pipeline.infer([[text] for text in texts])] == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_padded_engine_that_answers_another_number_of_rows_fails_loudly(tokenizer: TextTokenizer, rows: int) -> None:
    pipeline = padded_pipeline(tokenizer, Grid(doubling=True), [[0.0, 0.0, 0.0]] * rows)
    with pytest.raises(BackendError, match=rf"answered \({rows}, 3\) where \(texts, numbers\) = \(4, 3\) was due"):
        pipeline.infer([[tokenizer("good")]] * 3)
