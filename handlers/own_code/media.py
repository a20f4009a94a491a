"""The content types that the user's functions are told: as clients write them, less what says nothing to a function."""

from dataclasses import dataclass

from handlers.payloads.codecs import CSV, JSON, media_type, negotiate

ANY = ("", "*/*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client wants: `accept` as a function is told, and the type of its answer where the function names none."""

    accept: str
    kind: str


def body_type(header: str) -> str:
    """The content type of a body, JSON without one; parameters stay only where they say more than a character set."""
    name, *parameters = (part.strip() for part in header.split(";"))
    only_charset = all(one.lower().startswith("charset=") for one in parameters if one)
    return name.lower() or JSON if only_charset or name.lower() in (JSON, CSV) else header.strip()


class TextBody(str):
    """A text for functions that decode it themselves as well: the toolkits hand some of these over as bytes."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self)


def as_text(body: bytes, kind: str) -> str | bytearray:
    """A body as SageMaker's toolkits hand it over: JSON and CSV as text, all other types as they came."""
    return TextBody(body.decode()) if kind in (JSON, CSV) else bytearray(body)


def wanted(accept: str, default: str) -> Wanted:
    """What a function is told of an `Accept` header: of a list all of it, and the best of it is the answer's type."""
    if accept in ANY:
        return Wanted(default, default)
    names = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    concrete = [name for name in names if name and "*" not in name]
    kind = negotiate(accept, tuple(map(media_type, concrete))) if len(concrete) > 1 else (concrete or [default])[0]
    return Wanted(concrete[0] if len(names) == 1 and concrete else accept, kind)
