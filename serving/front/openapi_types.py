"""What requests and answers hold, as `/openapi.json` describes it.

Bodies are read by workers and written by many; these types are for description only, and
`tests/serving/front/test_openapi.py` holds real answers against them.
"""

from typing import Annotated, Any, Literal

import msgspec


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    """Two texts that are compared; or one."""

    text: str
    text_pair: str | None = None


class Parameters(msgspec.Struct):
    """`top_k` labels an input, null for all, and how the network's numbers become scores."""

    top_k: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = None


class Question(msgspec.Struct):
    """A text, a pair, or a list of these, of which two texts in a list are a pair."""

    inputs: str | Pair | list[str | Pair | tuple[str, str]]
    parameters: Parameters | None = None


class Label(msgspec.Struct):
    label: str
    score: float


Answer = Label | list[Label | list[Label]]
"""Of text classification; a variant's own code may answer otherwise."""


class Refusal(msgspec.Struct):
    """What was wrong, and the name of the error."""

    error: str
    type: str


class Ping(msgspec.Struct):
    """Whether all variants are ready, and the names of those that are not."""

    ready: bool
    not_ready: list[str]


class Live(msgspec.Struct):
    live: Literal[True]


class ExecutionParameters(msgspec.Struct):
    """How many requests at a time, of how many MB, with many records each; the names are SageMaker's."""

    MaxConcurrentTransforms: int
    BatchStrategy: Literal["MULTI_RECORD"]
    MaxPayloadInMB: int


class ServerReady(msgspec.Struct):
    live: Literal[True]
    ready: bool


class ServerMetadata(msgspec.Struct):
    name: str
    version: str
    extensions: list[str]


class TensorMetadata(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] = {}


class ModelMetadata(msgspec.Struct):
    """A variant, called a model; its tensors are known while it loads, those of a user's own code once it is loaded."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ConfiguredTensor(msgspec.Struct):
    name: str
    data_type: str
    dims: list[int]
    optional: bool = False


class VersionPolicy(msgspec.Struct):
    specific: dict[str, list[int]]


class ModelConfiguration(msgspec.Struct):
    """The same by Triton's model configuration extension."""

    name: str
    platform: str
    backend: str
    version_policy: VersionPolicy
    max_batch_size: int
    input: list[ConfiguredTensor]
    output: list[ConfiguredTensor]


class ModelReady(msgspec.Struct):
    name: str
    ready: bool


class OutputTensor(msgspec.Struct):
    """An output with its `data`, or with `binary_data_size` among its parameters where it follows the JSON part."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class InferAnswer(msgspec.Struct):
    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


class Worker(msgspec.Struct):
    """A process, or whatever runs the engine."""

    state: Literal["loading", "ready", "failed", "ended"]
    error: str


class Variant(msgspec.Struct):
    """One that is served. Once it is loaded there are the facts of its manifest and of its engine besides."""

    name: str
    backend: str
    ready: bool
    cpu_plan: str
    max_queue: int
    queue_deadline_s: float
    workers: list[Worker]


class Variants(msgspec.Struct):
    default: str
    variants: list[Variant]
