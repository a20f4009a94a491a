"""What is known of each backend, in one record. Engines are imported only when they are opened: a worker holds one."""

from collections.abc import Container
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from model_store.errors import BackendError

if TYPE_CHECKING:  # the command line and the front ask for records only
    from handlers.backends.base import ArtifactFile, OpenSession, Placement, Session

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to run an artifact.

    `module` has its `open_session`; it is None where a server of its own (`server`) runs the artifact.
    `artifacts` are the names under which a manifest may hold what it runs, best first; without any its own name.
    `environment` names the environment and the image that hold its engine; None is our own interpreter.
    `in_place` are the kinds of files that its engine must find where they lie: it reads them once more later, or
    refuses weights behind a link.
    `has_own_memory`: its engine keeps the memory that calls need, and takes none of the C library for each.
    `rank` is its place where nobody named a backend and nothing was measured; without one it must be named.
    """

    name: str
    module: str | None = None
    artifacts: tuple[str, ...] = ()
    environment: str | None = None
    rank: int | None = None
    device: Device = "cpu"
    server: str | None = None
    in_place: tuple[str, ...] = ()
    has_own_memory: bool = False

    def artifact(self, held: Container[str]) -> str:
        """The name of the artifact that it runs, of those that a manifest holds; the best where none is held."""
        names = self.artifacts or (self.name,)
        return next((name for name in names if name in held), names[0])


_ALL = (
    Backend("torch", "handlers.backends.torch", environment="torch", rank=3),
    Backend("torch-compiled", "handlers.backends.torch_compiled", ("torch",), "torch"),
    Backend("torch-cuda", "handlers.backends.torch", ("torch",), device="cuda"),
    Backend("torchscript", "handlers.backends.torchscript", environment="torch"),
    Backend("onnxruntime", "handlers.backends.onnxruntime", environment="onnxruntime", rank=2, has_own_memory=True),
    Backend(
        "openvino",
        "handlers.backends.openvino",
        environment="openvino",
        rank=1,
        in_place=(".onnx",),
        has_own_memory=True,
    ),
    Backend("deepsparse", "handlers.backends.deepsparse", environment="deepsparse", rank=4, in_place=(".onnx",)),
    Backend("transformers", "handlers.backends.transformers", ("torch", "transformers"), "transformers"),
    Backend(
        "transformers-longest", "handlers.backends.transformers_longest", ("torch", "transformers"), "transformers"
    ),
    Backend("torchserve", None, ("torch",), "torchserve", server="torchserve"),
)

BACKENDS = {backend.name: backend for backend in _ALL}


def artifact_name(backend: str, held: Container[str]) -> str:
    """Under which of the names that a manifest holds a backend finds what it runs; its own where none is known."""
    return BACKENDS[backend].artifact(held) if backend in BACKENDS else backend


def has_own_memory(backend: str) -> bool:
    return backend in BACKENDS and BACKENDS[backend].has_own_memory


def loads_in_place(backend: str, file: str) -> bool:
    """Whether a backend must find this file of an artifact where it lies."""
    return backend in BACKENDS and file.endswith(BACKENDS[backend].in_place)


def open_session(backend: str, artifact: "ArtifactFile", placement: "Placement") -> "Session":
    """Load an artifact into its engine.

    Raises:
        BackendError: there is no such backend, its engine is not installed, or it cannot load the file, or the
            file takes other inputs than its layout says.
    """
    opened_here = {name: one.module for name, one in BACKENDS.items() if one.module}
    if backend not in opened_here:
        raise BackendError(f"There is no backend {backend!r}; choose one of {', '.join(opened_here)}.")
    try:
        module = import_module(opened_here[backend])
    except ModuleNotFoundError as exc:
        raise BackendError(
            f"The engine of backend {backend!r} is not installed here ({exc.name} is missing); {_advice(backend)}."
        ) from exc
    opened: OpenSession = module.open_session
    return opened(artifact, replace(placement, device=BACKENDS[backend].device))


def _advice(backend: str) -> str:
    made = BACKENDS[backend].environment
    return f"run: paretoserve env create {made}" if made else "install it into the interpreter that runs paretoserve"
