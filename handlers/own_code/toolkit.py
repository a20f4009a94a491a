"""What scripts import of `sagemaker_inference` where that is not installed: its content types, encoders and errors.

Written for its documented names; an installed one is used instead.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from handlers.payloads.arrays import NPY
from handlers.payloads.codecs import CSV, JSON
from handlers.payloads.own_answers import encode_own
from handlers.payloads.own_inputs import OCTETS, decode_own
from model_store.errors import NotAcceptable

NAME = "sagemaker_inference"
_ENCODED = (JSON, CSV, NPY)


class BaseInferenceToolkitError(Exception):
    """An error that names the status and the text to answer with."""

    def __init__(self, status_code: int, message: str, phrase: str) -> None:
        self.status_code, self.message, self.phrase = status_code, message, phrase
        super().__init__(status_code, message, phrase)


class GenericInferenceToolkitError(BaseInferenceToolkitError):
    """The same with a text of its own."""

    def __init__(self, status_code: int, message: str | None = None, phrase: str | None = None) -> None:
        message = message or "Invalid Request"
        super().__init__(status_code, message, phrase or message)


class UnsupportedFormatError(Exception):
    """The script reads or writes no such content type."""

    status_code = 415

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Content type {content_type} is not supported by this script.")


def encode(array_like: Any, content_type: str) -> str | bytes:
    """JSON and CSV as a text, NPY as bytes."""
    if content_type not in _ENCODED:
        raise NotAcceptable(content_type, _ENCODED)
    body = encode_own(array_like, content_type)
    return body if content_type == NPY else body.decode()


def decode(obj: str | bytes, content_type: str) -> Any:
    return decode_own(obj.encode() if isinstance(obj, str) else bytes(obj), content_type)


_MODULES: dict[str, dict[str, Any]] = {
    NAME: {"__path__": []},
    f"{NAME}.content_types": {
        "JSON": JSON,
        "CSV": CSV,
        "NPY": NPY,
        "OCTET_STREAM": OCTETS,
        "ANY": "*/*",
        "UTF8_TYPES": [JSON, CSV],
    },
    f"{NAME}.encoder": {"encode": encode, "SUPPORTED_CONTENT_TYPES": set(_ENCODED)},
    f"{NAME}.decoder": {"decode": decode},
    f"{NAME}.errors": {
        one.__name__: one for one in (BaseInferenceToolkitError, GenericInferenceToolkitError, UnsupportedFormatError)
    },
}


class _Toolkit(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _MODULES:
            return None
        return ModuleSpec(fullname, self, is_package=fullname == NAME)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(_MODULES[module.__name__])


_toolkit = _Toolkit()


def install() -> None:
    """Have it found where nothing else of that name is."""
    if _toolkit not in sys.meta_path:
        sys.meta_path.append(_toolkit)
