"""A request on its way to a handler. The front makes them, and imports no engine's arrays for it."""

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["invocations", "v2"]


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it came: nothing of it is read yet."""

    body: bytes
    content_type: str = ""
    accept: str = ""
    protocol: Protocol = "invocations"
    json_length: int | None = None
