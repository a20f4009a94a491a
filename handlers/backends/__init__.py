"""The engines. Each module is imported only when its backend is asked for: a worker holds one engine."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from model_store.errors import BackendError
from model_store.manifest import Layout

if TYPE_CHECKING:  # the command line and the front ask for names only
    from handlers.backends.base import OpenSession, Session, Threads

BACKENDS = {
    "torch": "handlers.backends.torch",
    "torch-compiled": "handlers.backends.torch_compiled",
    "torch-cuda": "handlers.backends.torch_cuda",
    "torchscript": "handlers.backends.torchscript",
    "onnxruntime": "handlers.backends.onnxruntime",
    "openvino": "handlers.backends.openvino",
    "deepsparse": "handlers.backends.deepsparse",
}

# Backends that run the artifacts of another one.
_ARTIFACT_OF = {
    "torch-compiled": "torch",
    "torch-cuda": "torch",
    "torchserve": "torch",
}


def artifact_of(backend: str) -> str:
    """Under which name a manifest has the artifact that this backend runs."""
    return _ARTIFACT_OF.get(backend, backend)


def open_session(
    backend: str, artifact: Path, precision: str, threads: "Threads", layout: Layout = "packed"
) -> "Session":
    """Load an artifact into its engine.

    Raises:
        BackendError: there is no such backend, its engine is not installed, or it cannot load the file, or the
            file takes other inputs than its layout says.
    """
    if backend not in BACKENDS:
        raise BackendError(f"There is no backend {backend!r}; choose one of {', '.join(BACKENDS)}.")
    try:
        module = import_module(BACKENDS[backend])
    except ModuleNotFoundError as exc:
        raise BackendError(
            f"The engine of backend {backend!r} is not installed here ({exc.name} is missing); "
            f"run: paretoserve env create {backend}."
        ) from exc
    opened: OpenSession = module.open_session
    return opened(artifact, precision, threads, layout)
