"""Text classification: a text or a pair in, labels with scores out, in the shapes of Hugging Face's toolkit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from handlers.tasks.base import Datatype, Floats, Reach, Score, TextTensor
from handlers.tasks.payload import Shape, TextInput, input_of, kind_of, read_inputs
from handlers.tokens.packing import Tokens
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BadInput
from model_store.matthews import MATTHEWS, matthews
from model_store.rows import Row, TargetColumn

Prediction = dict[str, Any] | list[dict[str, Any]] | list[list[dict[str, Any]]]
FunctionToApply = Literal["softmax", "sigmoid", "none"]

# Accepted because clients of other servers send them; texts are always truncated and never padded here.
_IGNORED_PARAMETERS = {"truncation", "padding"}


@dataclass(frozen=True, slots=True)
class Parameters:
    """`top_k` labels per input: None is all of them; `nested` says that the client asked for a list per input."""

    top_k: int | None = 1
    nested: bool = False
    function_to_apply: FunctionToApply | None = None


@dataclass(frozen=True, slots=True)
class ClassificationRequest:
    inputs: tuple[TextInput, ...]
    shape: Shape
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class TextClassification:
    """The network gives a logit per label."""

    labels: tuple[str, ...]

    reach: ClassVar[Reach] = "text"
    metric: ClassVar[str] = "accuracy"
    v2_inputs: ClassVar[tuple[TextTensor, ...]] = (TextTensor("text"), TextTensor("text_pair", optional=True))
    v2_outputs: ClassVar[Mapping[str, Datatype]] = {"label": "BYTES", "score": "FP32"}

    @classmethod
    def for_network(cls, outputs: Sequence[str]) -> Self:
        return cls(tuple(outputs))

    @property
    def width(self) -> int:
        return len(self.labels)

    @property
    def target(self) -> TargetColumn:
        """A target is the index of a label; data may hold the index or the label, without regard to case."""
        return TargetColumn("label", ("label", "labels", "gold_label"), self._label_index, self.labels)

    def _label_index(self, value: Any) -> int:
        # Names come last, so that a model whose labels are digits is read by name.
        indices = {str(i): i for i in range(len(self.labels))}
        known = indices | {label.casefold(): i for i, label in enumerate(self.labels)}
        text = str(value).strip().casefold() if isinstance(value, int | str) else None
        if text not in known or isinstance(value, bool):
            raise ValueError(
                f"label {value!r}, which the model does not know; its labels are "
                f"{', '.join(map(repr, self.labels))}, or their indices from 0"
            )
        return known[text]

    def inputs(self, row: Row) -> Any:
        return input_of(row.text, row.text_pair)

    def read(self, payload: Any) -> ClassificationRequest:
        inputs, shape = read_inputs(payload)
        return ClassificationRequest(inputs, shape, _read_parameters(payload.get("parameters")))

    def windows(self, asked: ClassificationRequest, tokenizer: TextTokenizer) -> list[Tokens]:
        return [tokenizer(one.text, one.text_pair) for one in asked.inputs]

    def answer(self, asked: ClassificationRequest, windows: Sequence[Tokens], outputs: Sequence[Floats]) -> Prediction:
        parameters = asked.parameters
        ranked = [self._ranked(row, parameters) for row in _scores(np.stack(outputs), parameters)]
        if asked.shape == "text":
            return ranked[0]
        if asked.shape == "pair":
            return ranked[0] if parameters.nested else ranked[0][0]
        return ranked if parameters.nested else [labels[0] for labels in ranked]

    def _ranked(self, scores: NDArray[Any], parameters: Parameters) -> list[dict[str, Any]]:
        order = np.argsort(-scores, kind="stable")[: parameters.top_k]
        return [{"label": self.labels[i], "score": float(scores[i])} for i in order]

    def score(self, answers: Sequence[Any], rows: Sequence[Row]) -> Score:
        """The share of right answers, and of two labels or more the correlation of Matthews."""
        pairs = [(answer["label"], self.labels[row.target]) for answer, row in zip(answers, rows, strict=True)]
        right = sum(answer == target for answer, target in pairs)
        return Score(right / len(pairs), right, {MATTHEWS: matthews(pairs)} if self.width > 1 else {})


def _scores(logits: Floats, parameters: Parameters) -> NDArray[Any]:
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


def _read_parameters(raw: Any) -> Parameters:
    if raw is None:
        return Parameters()
    if not isinstance(raw, dict):
        raise BadInput(f'"parameters" is {kind_of(raw)}; it must be an object.')
    known = {"top_k", "function_to_apply"}
    if unknown := raw.keys() - known - _IGNORED_PARAMETERS:
        raise BadInput(f"Parameter {min(unknown)!r} is not known; known are {', '.join(sorted(known))}.")
    top_k = raw.get("top_k", 1)
    if top_k is not None and (not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1):
        found = repr(top_k)[:40] if isinstance(top_k, str | int | float) else kind_of(top_k)
        raise BadInput(f'"parameters.top_k" is {found}; it must be a whole number from 1, or null for all labels.')
    function = raw.get("function_to_apply")
    if function not in (None, "softmax", "sigmoid", "none"):
        raise BadInput('"parameters.function_to_apply" must be "softmax", "sigmoid" or "none".')
    return Parameters(top_k, "top_k" in raw, function)
