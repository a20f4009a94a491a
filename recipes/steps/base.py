"""What a step is: one change of a checkpoint, with parameters that a recipe gives."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from model_store.rows import Split
from networks.encoder.shape import EncoderShape
from recipes.work.progress import Progress


@dataclass(frozen=True, slots=True)
class StepInput:
    """What a step is given.

    `checkpoint` is the folder of the checkpoint to change, `tokenizer` the `tokenizer.json` that goes with it; texts
    are cut at `max_tokens`. `train` is to train on and `validation` to choose by; evaluation rows never come here.
    `teacher` is the checkpoint that the recipe began with. `work` is a folder of the step's own, which survives a kill:
    started again, the step finds there what it had written. `shared` is for what steps of other recipes can use too
    (the teacher's answers, a super-network), each under a name that says all that it was made of. `latency_s` measures
    how many seconds a text of the data takes on the engine that the recipe is for, with an encoder of a shape; `target`
    names that engine, `int8@openvino`. `jobs` is how many processes may evaluate at once.
    """

    checkpoint: Path
    tokenizer: Path
    max_tokens: int
    train: Split
    validation: Split
    teacher: Path | None
    seed: int
    work: Path
    shared: Path
    latency_s: Callable[[EncoderShape], float]
    report: Progress
    target: str = ""
    jobs: int = 1


class Step(Protocol):
    """One change of a checkpoint: a frozen dataclass, whose fields are made by `parameter` and `word`.

    The same input must give the same checkpoint, also if the step was killed in between and started again.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]  # as a recipe spells it

    def __init__(self, *parameters: float | str) -> None: ...

    @property
    def uses_latency(self) -> bool:
        """Whether its result depends on `StepInput.latency_s`; a class variable where it always does, or never."""

    def run(self, given: StepInput) -> Path:
        """The folder of the changed checkpoint, within `given.work`.

        Raises:
            RecipeError: the checkpoint cannot be changed so.
        """


@runtime_checkable
class ChecksShape(Protocol):
    """A step that can say before any training whether a checkpoint is large enough for it.

    Steps make a checkpoint smaller or leave its shape as it is. What a search leaves of it is not known beforehand, and
    taken to be no larger than what it was given.
    """

    def shape_after(self, largest: EncoderShape) -> EncoderShape:
        """The largest that the step can make of a checkpoint of shape `largest` at most.

        Raises:
            RecipeError: no such checkpoint can be changed so.
        """


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a parameter may be, both ends included."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Words:
    """The words that a parameter may be: those that `pattern` matches whole. `described` says in a message which."""

    pattern: str
    described: str


def word(pattern: str, described: str, default: Any = MISSING) -> Any:
    """A parameter of a step that is a word: a field of type `str`, whose lower case `pattern` matches whole."""
    return field(default=default, metadata={"words": Words(pattern, described)})


def parameter(least: float, most: float, default: Any = MISSING) -> Any:
    """A parameter of a step: a field of type `int` or `float` that is at least `least` and at most `most`.

    In a recipe, parameters are given in the order of the fields; those with a default may be left out.
    """
    return field(default=default, metadata={"range": Range(least, most)})
