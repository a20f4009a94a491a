"""A user's own `code/inference.py`: any of `model_fn`, `input_fn`, `predict_fn`, `output_fn`, as SageMaker calls them.

A function may take one more argument than the contract states; it is then given a `Context`.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

from handlers.hashed_modules import HashedModules
from model_store.code import read_hashed_code
from model_store.errors import BackendError, ParetoServeError

INFERENCE_FILE = Path("code") / "inference.py"
_MODULE = INFERENCE_FILE.stem

_ARGUMENTS = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2}


# What may stand in a header: a line break in it would begin another one.
_CONTENT_TYPE = re.compile(r"[\t -~\x80-\xff]+")

# Characters of an error's text that are told.
_MOST_TOLD = 2000


@dataclass(frozen=True, slots=True)
class Context:
    """What a function that asks for it is told of where it runs."""

    model_dir: str
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UserCode:
    """The functions that the user's module defines; None stands for ours."""

    model_fn: Callable[[str], Any] | None = None
    input_fn: Callable[[Any, str], Any] | None = None
    predict_fn: Callable[[Any, Any], Any] | None = None
    output_fn: Callable[[Any, str], Any] | None = None

    @property
    def replaces_the_model(self) -> bool:
        """Whether requests must run one by one through the user's functions, not batched through our engine."""
        return self.model_fn is not None or self.predict_fn is not None


def load_user_code(model_dir: Path, context: Context, sha256: Mapping[str, str] | None = None) -> UserCode:
    """The user's functions, or none where the variant has no `code/inference.py`.

    Where its files were hashed (`sha256`, by their names in the variant), they must be those, and are imported as they
    were read for that.

    Raises:
        BackendError: the module cannot be imported, or a function takes the wrong number of arguments.
        StoreError: a file of the code is not the one that was hashed, or this user may not read it.
    """
    folder = model_dir / INFERENCE_FILE.parent
    spec = _spec(folder) if sha256 is None else _hashed_spec(folder, read_hashed_code(model_dir, sha256))
    if spec is None:
        return UserCode()
    module = _import(spec)
    if hasattr(module, "transform_fn"):
        raise BackendError(f"{INFERENCE_FILE} defines transform_fn; define input_fn, predict_fn and output_fn instead.")
    found = {name: getattr(module, name) for name in _ARGUMENTS if callable(getattr(module, name, None))}
    return UserCode(**{name: _with_context(name, function, context) for name, function in found.items()})


def _spec(folder: Path) -> ModuleSpec | None:
    file = folder / INFERENCE_FILE.name
    if not file.is_file():
        return None
    # The module may import its neighbours, as it can on SageMaker.
    sys.path.insert(0, str(folder))
    return spec_from_file_location(_MODULE, file)


def _hashed_spec(folder: Path, code: Mapping[str, bytes]) -> ModuleSpec | None:
    modules = HashedModules(folder, {str(PurePath(*PurePath(name).parts[1:])): code[name] for name in code})
    modules.install()
    # What else lies there, as compiled modules, is found last: what is added later takes no other module's place.
    sys.path.append(str(folder))
    return modules.find_spec(_MODULE)


def _import(spec: ModuleSpec) -> ModuleType:
    assert spec.loader is not None, "this is a bug: a .py file always has a loader"
    module = module_from_spec(spec)
    sys.modules[_MODULE] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as exc:  # sys.exit() in it, too
        raise BackendError(f"{INFERENCE_FILE} cannot be imported: {told(exc)}") from exc
    return module


def _with_context(name: str, function: Callable[..., Any], context: Context) -> Callable[..., Any]:
    expected = _ARGUMENTS[name]
    try:
        given = len(inspect.signature(function).parameters)
    except (TypeError, ValueError) as exc:
        raise BackendError(f"{INFERENCE_FILE}: {name} has no signature that can be read.") from exc
    if given == expected:
        return function
    if given == expected + 1:
        return lambda *arguments: function(*arguments, context)
    raise BackendError(
        f"{INFERENCE_FILE}: {name} takes {given} arguments; it must take {expected}, or {expected + 1} with a context."
    )


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Whatever the user's own code raises is an error of the variant, told by name; ours pass through.

    `SystemExit` and its like are no wish to end the worker, which has other requests in hand.
    """
    try:
        yield
    except ParetoServeError:
        raise
    except BaseException as exc:
        raise BackendError(f"The variant's own {what} failed: {told(exc)}") from exc


def told(error: BaseException) -> str:
    """An error by its type and its text, in characters that can be sent, however strange it is."""
    return f"{sendable(type(error).__name__)}: {message_of(error)}"


def message_of(error: BaseException) -> str:
    """An error's own text, in characters that can be sent; code of a user's may have made it, or fail to make it."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  a method of the user's own
        return "(it has no text)"
    return sendable(text if len(text) <= _MOST_TOLD else f"{text[:_MOST_TOLD]}...")


def sendable(text: str) -> str:
    """The text, with whatever UTF-8 cannot hold written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def as_body(encoded: Any, kind: str, otherwise: Callable[[Any], bytes]) -> tuple[bytes, str]:
    """What `output_fn` returned for an answer of this content type: a body, or a body and another content type.

    What is neither text nor bytes is written by `otherwise`.

    Raises:
        ValueError: that is no content type.
    """
    body, kind = encoded if isinstance(encoded, tuple) else (encoded, kind)
    if not isinstance(kind, str) or not _CONTENT_TYPE.fullmatch(kind):
        raise ValueError(f"{kind!r} is no content type; return the body alone, or a content type as a text of Latin-1")
    if isinstance(body, str):
        return body.encode(), kind
    return (bytes(body), kind) if isinstance(body, bytes | bytearray | memoryview) else (otherwise(body), kind)
