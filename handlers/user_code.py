"""A user's own `code/inference.py`: any of the functions of SageMaker's toolkits, called as those call them.

A function may take one more argument than the contract states; it is then given a `Context`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from handlers.own_code.arguments import ARGUMENTS, adapted
from handlers.own_code.batches import SIZE, batch_size
from handlers.own_code.context import Context
from handlers.own_code.entry import entry_name
from handlers.own_code.failures import told, translated
from handlers.own_code.modules import import_module_of
from handlers.own_code.requirements import advice
from handlers.own_tensors import OwnTensors, declared_tensors
from model_store.code import read_hashed_code
from model_store.errors import BackendError

# What may stand in a header: a line break in it would begin another one.
_CONTENT_TYPE = re.compile(r"[\t -~\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class UserCode:
    """The functions that the user's module defines; None stands for ours."""

    pre_model_fn: Callable[[str], Any] | None = None
    model_fn: Callable[[str], Any] | None = None
    model_warmup_fn: Callable[[str, Any], Any] | None = None
    input_fn: Callable[[Any, str], Any] | None = None
    predict_fn: Callable[[Any, Any], Any] | None = None
    predict_batch_fn: Callable[[list[Any], Any], Any] | None = None
    output_fn: Callable[[Any, str], Any] | None = None
    transform_fn: Callable[[Any, Any, str, str], Any] | None = None
    tensors: OwnTensors = OwnTensors()
    batch_size: int = 1

    @property
    def replaces_the_model(self) -> bool:
        """Whether requests must run through the user's functions, not batched through our engine."""
        replacing = self.model_fn, self.predict_fn, self.predict_batch_fn, self.transform_fn
        return any(function is not None for function in replacing)


def load_user_code(model_dir: Path, context: Context, sha256: Mapping[str, str] | None = None) -> UserCode:
    """The user's functions, or none where the variant has no `code/inference.py`.

    Where its files were hashed (`sha256`, by their names in the variant), they must be those, and are imported as they
    were read for that.

    Raises:
        BackendError: the module cannot be imported, or a function takes the wrong number of arguments.
        StoreError: a file of the code is not the one that was hashed, or this user may not read it.
    """
    code = None if sha256 is None else read_hashed_code(model_dir, sha256)
    file = entry_name(model_dir)
    if file is None or (code is not None and file not in code):
        return UserCode()
    path = model_dir / file
    try:
        module = import_module_of(path.parent, path.stem, code)
    except BaseException as exc:  # sys.exit() in it, too
        raise BackendError(f"{file} cannot be imported: {told(exc)}{advice(model_dir, exc)}") from exc
    found = {name: function for name in ARGUMENTS if (function := getattr(module, name, None)) is not None}
    _check(file, found)
    functions = {name: adapted(file, name, function, context) for name, function in found.items()}
    size = batch_size(file, getattr(module, SIZE, None)) if "predict_batch_fn" in found else 1
    context.system_properties["batch_size"] = size
    return UserCode(**functions, tensors=_tensors(file, module, found), batch_size=size)


def run_at_load(function: Callable[..., Any] | None, name: str, model_dir: Path, *model: Any) -> Any:
    """What a function of the user's returns for the variant's folder, and for the model where there is one by now.

    Raises:
        BackendError: whatever the function raises.
    """
    if function is None:
        return None
    with translated(name):
        try:
            return function(str(model_dir), *model)
        except ModuleNotFoundError as exc:
            raise BackendError(f"The variant's own {name} failed: {told(exc)}{advice(model_dir, exc)}") from exc


def _check(file: str, found: Mapping[str, Any]) -> None:
    for name, function in found.items():
        if not callable(function):
            raise BackendError(f"{file}: {name} is no function; define one, or leave it out.")
    others = sorted({"input_fn", "predict_fn", "predict_batch_fn", "output_fn"} & found.keys())
    if others and "transform_fn" in found:
        raise BackendError(
            f"{file} defines transform_fn and {others[0]}; transform_fn stands for input_fn, predict_fn and output_fn "
            "together, so define it alone."
        )


def _tensors(file: str, module: ModuleType, found: Mapping[str, Any]) -> OwnTensors:
    tensors = declared_tensors(module)
    takes_them = {"model_fn", "predict_fn", "predict_batch_fn"} & found.keys() and "transform_fn" not in found
    if tensors and not takes_them:
        raise BackendError(f"{file} declares tensors; define a model_fn or predict_fn that takes them.")
    return tensors


def as_body(encoded: Any, kind: str, otherwise: Callable[[Any], bytes]) -> tuple[bytes, str]:
    """What `output_fn` returned for an answer of this content type: a body, or a body and another content type.

    What is neither text nor bytes is written by `otherwise`.

    Raises:
        ValueError: that is no content type.
    """
    body, kind = encoded[:2] if isinstance(encoded, tuple) else (encoded, kind)
    if not isinstance(kind, str) or not _CONTENT_TYPE.fullmatch(kind):
        raise ValueError(f"{kind!r} is no content type; return the body alone, or a content type as a text of Latin-1")
    if isinstance(body, str):
        return body.encode(), kind
    return (bytes(body), kind) if isinstance(body, bytes | bytearray | memoryview) else (otherwise(body), kind)
