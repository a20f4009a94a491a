"""What a task is: how a request is read, cut into windows, answered and scored. It knows no engine, queue or HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from handlers.tokens.packing import Tokens
from handlers.tokens.tokenizer import TextTokenizer
from model_store.rows import Row, TargetColumn

Asked = TypeVar("Asked")
"""A request as a task has read it."""

Reach = Literal["text", "token"]
Floats = NDArray[np.float32]
Datatype = Literal["BYTES", "FP32", "INT64"]


@dataclass(frozen=True, slots=True)
class TextTensor:
    """An input of the Open Inference Protocol: one text for each input of the request, as BYTES."""

    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """How good answers are, on the scale of the task's metric: more is better. `correct` where it counts right ones.

    `further` are other measures of the same answers, by what reports call them.
    """

    value: float
    correct: int | None = None
    further: Mapping[str, float] = field(default_factory=dict)


class Task(Protocol[Asked]):
    """A frozen dataclass, whose fields are the settings that a manifest keeps.

    `reach` says what the network gives back for a window: for "text" `width` numbers, shape (width,); for "token" that
    many for each of its tokens, (tokens, width). `metric` is what `score` measures, as reports call it.

    In the Open Inference Protocol, `v2_inputs` are the names of a row's text and, where there are two, of its second;
    `v2_outputs` are the fields of an answer, with their datatypes. The network's own numbers come as `logits`.
    """

    reach: ClassVar[Reach]
    metric: ClassVar[str]
    v2_inputs: ClassVar[tuple[TextTensor, ...]]
    v2_outputs: ClassVar[Mapping[str, Datatype]]

    @classmethod
    def for_network(cls, outputs: Sequence[str]) -> Self:
        """The task for a network that calls its numbers `outputs`; raises UnsupportedCheckpoint."""
        ...

    @property
    def width(self) -> int:
        """How many numbers the network gives at each place."""
        ...

    @property
    def target(self) -> TargetColumn:
        """How labelled data says what is right."""
        ...

    def inputs(self, row: Row) -> Any:
        """What a client sends for a row, as one of the `inputs` of a request."""
        ...

    def read(self, payload: Any) -> Asked:
        """Read a decoded request; raises BadInput, which says what is wrong and what is accepted."""
        ...

    def windows(self, asked: Asked, tokenizer: TextTokenizer) -> list[Tokens]:
        """What the network reads for a request: at least one window, each in company of other requests' windows."""
        ...

    def answer(self, asked: Asked, windows: Sequence[Tokens], outputs: Sequence[Floats]) -> Any:
        """The answer, made of JSON's own types; of a request with a list of inputs, a list with one for each.

        `outputs` has what the network gave for each of `windows`.
        """
        ...

    def score(self, answers: Sequence[Any], rows: Sequence[Row]) -> Score:
        """How good the answers to `rows` are, one for each, as `answer` made them."""
        ...


AnyTask = Task[Any]
