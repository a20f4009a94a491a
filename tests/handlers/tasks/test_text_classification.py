from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from handlers.tasks.payload import read_question
from handlers.tasks.text_classification import TextClassifier
from handlers.tokens.padding import Grid
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError, BadInput
from tests.handlers.sessions import INFO, FixedSession

LABELS = ("negative", "neutral", "positive")
# Softmax gives 1/7, 2/7 and 4/7 for the first, and the other way round for the second.
LOGITS = np.log(np.array([[1, 2, 4], [4, 2, 1]], np.float32))
NEGATIVE, NEUTRAL, POSITIVE = (
    {"label": label, "score": pytest.approx(score / 7)} for label, score in zip(LABELS, (1, 2, 4), strict=True)
)


@pytest.fixture
def classifier(tokenizer: TextTokenizer) -> TextClassifier:
    return TextClassifier(FixedSession(LOGITS.tolist()), tokenizer, LABELS)


def answer(classifier: TextClassifier, inputs: Any, **parameters: Any) -> Any:
    question = read_question({"inputs": inputs, "parameters": parameters})
    return classifier.answer(question, LOGITS[: len(question.inputs)])


def test_a_text_is_answered_by_a_list_of_one(classifier: TextClassifier) -> None:
    assert answer(classifier, "one") == [POSITIVE]


def test_a_pair_is_answered_by_an_object(classifier: TextClassifier) -> None:
    assert answer(classifier, {"text": "one", "text_pair": "two"}) == POSITIVE


def test_a_list_is_answered_by_a_list_of_the_best(classifier: TextClassifier) -> None:
    mirrored = {"label": "negative", "score": pytest.approx(4 / 7)}
    assert answer(classifier, ["one", "two"]) == [POSITIVE, mirrored]
    assert answer(classifier, ["one"]) == [POSITIVE]


def test_top_k_asks_for_a_list_of_labels_the_best_first(classifier: TextClassifier) -> None:
    assert answer(classifier, "one", top_k=2) == [POSITIVE, NEUTRAL]
    assert answer(classifier, "one", top_k=None) == [POSITIVE, NEUTRAL, NEGATIVE]
    assert answer(classifier, "one", top_k=99) == [POSITIVE, NEUTRAL, NEGATIVE]
    assert answer(classifier, {"text": "one"}, top_k=1) == [POSITIVE]
    assert answer(classifier, ["one"], top_k=1) == [[POSITIVE]]


def test_the_function_is_the_one_asked_for(classifier: TextClassifier) -> None:
    (sigmoid,) = answer(classifier, "one", function_to_apply="sigmoid")
    (raw,) = answer(classifier, "one", function_to_apply="none")
    assert sigmoid == {"label": "positive", "score": pytest.approx(4 / 5)}
    assert raw == {"label": "positive", "score": pytest.approx(np.log(4))}


def test_a_single_label_has_the_logistic_function(tokenizer: TextTokenizer) -> None:
    classifier = TextClassifier(FixedSession([[0.0]]), tokenizer, ["toxic"])
    assert classifier("one") == [{"label": "toxic", "score": 0.5}]


def test_equal_scores_keep_the_order_of_the_labels(tokenizer: TextTokenizer) -> None:
    classifier = TextClassifier(FixedSession([[1.0, 1.0, 1.0]]), tokenizer, LABELS)
    answered: Any = classifier("one", top_k=None)
    assert [one["label"] for one in answered] == list(LABELS)


def test_large_logits_do_not_overflow(tokenizer: TextTokenizer) -> None:
    classifier = TextClassifier(FixedSession([[3e4, -3e4, 0.0]]), tokenizer, LABELS)
    assert classifier("one") == [{"label": "negative", "score": 1.0}]


def test_called_directly_it_takes_all_inputs_in_one_call_of_the_engine(tokenizer: TextTokenizer) -> None:
    session = FixedSession(LOGITS.tolist())
    assert len(TextClassifier(session, tokenizer, LABELS)(["one", "two"])) == 2
    assert [len(batch.inputs()["cls_index"]) for batch in session.asked] == [2]


def test_called_directly_it_refuses_what_http_would_refuse(classifier: TextClassifier) -> None:
    with pytest.raises(BadInput, match="'topk' is not known"):
        classifier("one", topk=2)


@pytest.mark.parametrize(
    "logits",
    [[[1.0, 2.0, 3.0]] * 2, [[1.0, 2.0]], [1.0, 2.0, 3.0], [[[1.0, 2.0, 3.0]]]],
    ids=["a row too many", "a label too few", "no rows", "a dimension too many"],
)
def test_wrong_rows_are_an_error_of_the_engine(tokenizer: TextTokenizer, logits: Any) -> None:
    classifier = TextClassifier(FixedSession(logits), tokenizer, LABELS)
    with pytest.raises(BackendError, match=r"\(texts, labels\) = \(1, 3\) was due"):
        classifier("one")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_an_error_of_the_engine(tokenizer: TextTokenizer, number: float) -> None:
    classifier = TextClassifier(FixedSession([[0.0, number, 0.0]]), tokenizer, LABELS)
    with pytest.raises(BackendError, match="not finite"):
        classifier("one")


def padded_classifier(tokenizer: TextTokenizer, grid: Grid, logits: Sequence[Sequence[float]]) -> TextClassifier:
    return TextClassifier(FixedSession(logits, replace(INFO, grid=grid)), tokenizer, LABELS)


def test_rows_that_only_fill_a_padded_call_up_are_dropped(tokenizer: TextTokenizer) -> None:
    classifier = padded_classifier(tokenizer, Grid(rows=4), [[n, 0.0, 0.0] for n in range(4)])
    texts = [tokenizer("good")] * 6
    assert classifier.infer([[text] for text in texts])[:, 0].tolist() == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_padded_engine_that_answers_another_number_of_rows_fails_loudly(tokenizer: TextTokenizer, rows: int) -> None:
    classifier = padded_classifier(tokenizer, Grid(doubling=True), [[0.0, 0.0, 0.0]] * rows)
    with pytest.raises(BackendError, match=rf"answered \({rows}, 3\) where \(texts, labels\) = \(4, 3\) was due"):
        classifier.infer([[tokenizer("good")]] * 3)
