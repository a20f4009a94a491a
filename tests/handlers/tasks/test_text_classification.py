from typing import Any

import numpy as np
import pytest

from handlers.tasks.base import Score
from handlers.tasks.text_classification import Parameters, TextClassification
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BadInput
from model_store.rows import Row

LABELS = ("negative", "neutral", "positive")
# Softmax gives 1/7, 2/7 and 4/7 for the first, and the other way round for the second.
LOGITS = np.log(np.array([[1, 2, 4], [4, 2, 1]], np.float32))
NEGATIVE, NEUTRAL, POSITIVE = (
    {"label": label, "score": pytest.approx(score / 7)} for label, score in zip(LABELS, (1, 2, 4), strict=True)
)


TASK = TextClassification(LABELS)


def answer(inputs: Any, logits: Any = LOGITS, task: TextClassification = TASK, **parameters: Any) -> Any:
    asked = task.read({"inputs": inputs, "parameters": parameters})
    return task.answer(asked, [], list(np.array(logits, np.float32)[: len(asked.inputs)]))


def test_a_text_is_answered_by_a_list_of_one() -> None:
    assert answer("one") == [POSITIVE]


def test_a_pair_is_answered_by_an_object() -> None:
    assert answer({"text": "one", "text_pair": "two"}) == POSITIVE


def test_a_list_is_answered_by_a_list_of_the_best() -> None:
    mirrored = {"label": "negative", "score": pytest.approx(4 / 7)}
    assert answer(["one", "two"]) == [POSITIVE, mirrored]
    assert answer(["one"]) == [POSITIVE]


def test_top_k_asks_for_a_list_of_labels_the_best_first() -> None:
    assert answer("one", top_k=2) == [POSITIVE, NEUTRAL]
    assert answer("one", top_k=None) == [POSITIVE, NEUTRAL, NEGATIVE]
    assert answer("one", top_k=99) == [POSITIVE, NEUTRAL, NEGATIVE]
    assert answer({"text": "one"}, top_k=1) == [POSITIVE]
    assert answer(["one"], top_k=1) == [[POSITIVE]]


def test_the_function_is_the_one_asked_for() -> None:
    (sigmoid,) = answer("one", function_to_apply="sigmoid")
    (raw,) = answer("one", function_to_apply="none")
    assert sigmoid == {"label": "positive", "score": pytest.approx(4 / 5)}
    assert raw == {"label": "positive", "score": pytest.approx(np.log(4))}


def test_a_single_label_has_the_logistic_function() -> None:
    assert answer("one", [[0.0]], TextClassification(("toxic",))) == [{"label": "toxic", "score": 0.5}]


def test_equal_scores_keep_the_order_of_the_labels() -> None:
    assert [one["label"] for one in answer("one", [[1.0, 1.0, 1.0]], top_k=None)] == list(LABELS)


def test_large_logits_do_not_overflow() -> None:
    assert answer("one", [[3e4, -3e4, 0.0]]) == [{"label": "negative", "score": 1.0}]


def test_there_is_a_window_for_each_input(tokenizer: TextTokenizer) -> None:
    windows = TASK.windows(TASK.read({"inputs": ["good", ["a film", "a plot"]]}), tokenizer)
    expected = [tokenizer("good"), tokenizer("a film", "a plot")]
    assert [one.input_ids.tolist() for one in windows] == [one.input_ids.tolist() for one in expected]


def test_a_row_is_asked_as_a_text_or_as_a_pair() -> None:
    assert TASK.inputs(Row("good", None, 1)) == "good"
    assert TASK.inputs(Row("one", "two", 0)) == {"text": "one", "text_pair": "two"}


def test_the_score_is_the_share_of_rows_whose_best_label_is_right() -> None:
    rows = [Row("a", None, 2), Row("b", None, 2), Row("c", None, 0), Row("d", None, 1)]
    answers = [{"label": LABELS[i], "score": 0.9} for i in (2, 0, 0, 1)]
    score = TASK.score(answers, rows)
    assert (score.value, score.correct) == (0.75, 3)
    assert score.further == {"Matthews correlation": pytest.approx(0.7)}


def test_a_single_label_has_no_correlation() -> None:
    score = TextClassification(("score",)).score([{"label": "score"}], [Row("a", None, 0)])
    assert score == Score(1.0, 1)


@pytest.mark.parametrize(
    ("raw", "parameters"),
    [
        (None, Parameters(1, False, None)),
        ({}, Parameters(1, False, None)),
        ({"top_k": 1}, Parameters(1, True, None)),
        ({"top_k": None}, Parameters(None, True, None)),
        ({"top_k": 3, "function_to_apply": "sigmoid"}, Parameters(3, True, "sigmoid")),
        ({"function_to_apply": "none"}, Parameters(1, False, "none")),
        ({"function_to_apply": None}, Parameters(1, False, None)),
        ({"truncation": True, "padding": "longest"}, Parameters(1, False, None)),
    ],
)
def test_parameters_are_read_and_those_without_effect_are_ignored(raw: Any, parameters: Parameters) -> None:
    assert TASK.read({"inputs": "one", "parameters": raw}).parameters == parameters


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"inputs": "one", "parameters": []}, '"parameters" is a list; it must be an object'),
        ({"inputs": "one", "parameters": {"topk": 1}}, "'topk' is not known; known are function_to_apply, top_k"),
        ({"inputs": "one", "parameters": {"top_k": 0}}, r'"parameters\.top_k" is 0; it must be a whole number from 1'),
        ({"inputs": "one", "parameters": {"top_k": True}}, r'"parameters\.top_k" is True'),
        ({"inputs": "one", "parameters": {"top_k": 1.0}}, r'"parameters\.top_k" is 1\.0'),
        ({"inputs": "one", "parameters": {"top_k": "2"}}, r'"parameters\.top_k" is \'2\''),
        ({"inputs": "one", "parameters": {"function_to_apply": "relu"}}, '"softmax", "sigmoid" or "none"'),
        ({"inputs": "one", "parameters": {"function_to_apply": []}}, '"softmax", "sigmoid" or "none"'),
    ],
)
def test_parameters_that_cannot_be_read_are_named(payload: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        TASK.read(payload)
