"""The text-classification task: questions in, labels with scores out, an engine in between."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.backends.base import Batch, Logits, Session
from handlers.tasks.payload import Parameters, Question, read_question
from handlers.tokens.packing import Tokens, pack
from handlers.tokens.padding import Grid, pad
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError

Prediction = dict[str, Any] | list[dict[str, Any]] | list[list[dict[str, Any]]]


class TextClassifier:
    """One variant on one engine. What `model_fn` returns unless the user's own does otherwise."""

    def __init__(self, session: Session, tokenizer: TextTokenizer, labels: Sequence[str]) -> None:
        self.session = session
        self.tokenizer = tokenizer
        self.labels = tuple(labels)
        # The shapes of a padded artifact's calls; None where texts are packed.
        self.grid = session.info.grid and replace(session.info.grid, widest=tokenizer.max_tokens)

    def __call__(self, inputs: Any, **parameters: Any) -> Prediction:
        """Classify as a Hugging Face pipeline would, in one call of the engine: for a user's own `predict_fn`."""
        question = read_question({"inputs": inputs, "parameters": parameters or None})
        return self.answer(question, self.infer([self.tokenize(question)]))

    def tokenize(self, question: Question) -> list[Tokens]:
        return [self.tokenizer(one.text, one.text_pair) for one in question.inputs]

    def infer(self, rows: Sequence[Sequence[Tokens]]) -> Logits:
        """Logits (texts, labels) of the texts in `rows`, row by row. A padded artifact has a row for each text.

        Raises:
            BackendError: the engine failed, or its answer has not one finite row per text.
        """
        if self.grid:
            return self._infer_padded([text for row in rows for text in row], self.grid)
        return self._run(pack(rows, self.session.info.width_step), sum(map(len, rows)))

    def _infer_padded(self, texts: Sequence[Tokens], grid: Grid) -> Logits:
        rows, width = grid.shape(len(texts), max(map(len, texts)))
        calls = [texts[start : start + rows] for start in range(0, len(texts), rows)]
        logits = [self._run(pad(call, (rows, width), self.tokenizer.pad_id), rows)[: len(call)] for call in calls]
        return np.concatenate(logits) if len(logits) > 1 else logits[0]

    def _run(self, batch: Batch, count: int) -> Logits:
        """One call of the engine, which must give `count` rows."""
        logits = self.session.run(batch)
        expected = (count, len(self.labels))
        if logits.shape != expected:
            raise BackendError(
                f"The engine answered {logits.shape} where (texts, labels) = {expected} was due; the artifact is not "
                "a classifier with these labels."
            )
        if not np.isfinite(logits).all():
            raise BackendError("The engine answered with numbers that are not finite; build the variant again.")
        return logits

    def answer(self, question: Question, logits: Logits) -> Prediction:
        """Shape the logits (inputs, labels) of a question as Hugging Face's toolkit does."""
        parameters = question.parameters
        ranked = [self._ranked(row, parameters) for row in _scores(logits, parameters)]
        if question.shape == "text":
            return ranked[0]
        if question.shape == "pair":
            return ranked[0] if parameters.nested else ranked[0][0]
        return ranked if parameters.nested else [labels[0] for labels in ranked]

    def _ranked(self, scores: NDArray[Any], parameters: Parameters) -> list[dict[str, Any]]:
        order = np.argsort(-scores, kind="stable")[: parameters.top_k]
        return [{"label": self.labels[i], "score": float(scores[i])} for i in order]


def _scores(logits: Logits, parameters: Parameters) -> NDArray[Any]:
    """Softmax over several labels, the logistic function for a single one, unless the client asks otherwise."""
    values = logits.astype(np.float64)
    match parameters.function_to_apply or ("softmax" if values.shape[1] > 1 else "sigmoid"):
        case "softmax":
            exponentials: NDArray[Any] = np.exp(values - values.max(axis=1, keepdims=True))
            exponentials /= exponentials.sum(axis=1, keepdims=True)
            return exponentials
        case "sigmoid":
            return 1.0 / (1.0 + np.exp(-values))
        case _:
            return values
