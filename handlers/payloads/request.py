"""A request on its way to a handler. The front makes them, and imports no engine's arrays for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Protocol = Literal["invocations", "v2"]


# Of SageMaker's own clients, few send more at once; batch transform may.
MAX_INPUTS = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for at the most.

    max_inputs: texts, or pairs of them.
    max_body_bytes: bytes of its body when it is unpacked.
    """

    max_inputs: int = MAX_INPUTS
    max_body_bytes: int = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it came: nothing of it is read yet. `content_encoding` says how its body is packed, as HTTP does.

    `headers` are those that the user's own code may see, by their names in lower case.
    """

    body: bytes
    content_type: str = ""
    accept: str = ""
    protocol: Protocol = "invocations"
    json_length: int | None = None
    content_encoding: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
