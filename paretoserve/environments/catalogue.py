"""An environment per backend, because the dependencies of engines conflict; and the interpreter that runs each.

Each holds a worker's few dependencies and one engine, as `requirements/NAME.txt` locks them, and links to our own
packages where they lie. They are below `$PARETOSERVE_ENVS`, or else in the user's data folder.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from importlib.util import find_spec
from pathlib import Path

from handlers.backends.catalogue import BACKENDS
from model_store.errors import EnvironmentUnavailable
from paretoserve.environments.pythons import find_python, output_of
from paretoserve.environments.virtual_environment import (
    Contents,
    environment,
    environments_of,
    interpreter_of,
    made_environment,
    site_packages_of,
)

REQUIREMENTS = Path(__file__).parent / "requirements"
OLDEST_PYTHON = (3, 11)

# What a worker imports of ours.
PACKAGES = ("handlers", "model_store", "networks", "serving")


@dataclass(frozen=True, slots=True)
class Engine:
    """What an environment is made for: as pip calls it, as Python imports it, and the newest Python it runs on."""

    package: str
    module: str
    newest_python: tuple[int, int] | None = None


ENGINES = {
    "torch": Engine("torch", "torch"),
    "onnxruntime": Engine("onnxruntime", "onnxruntime"),
    "openvino": Engine("openvino", "openvino"),
    "deepsparse": Engine("deepsparse", "deepsparse", newest_python=(3, 11)),
    "transformers": Engine("transformers", "transformers"),
    "torchserve": Engine("torchserve", "ts"),
}
"""The environments that can be made, by name."""


def environments_folder() -> Path:
    """Where environments are made: `$PARETOSERVE_ENVS`, or `paretoserve/envs` in the user's data folder."""
    if told := os.environ.get("PARETOSERVE_ENVS"):
        return Path(told).absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "paretoserve" / "envs"


def _environment_of(backend: str) -> str | None:
    """Which environment runs a backend; None where that is our own interpreter, as for a user's own model."""
    return BACKENDS[backend].environment if backend in BACKENDS else None


def interpreter_for(backend: str) -> str:
    """The Python that runs a backend: its environment's where that was created, else ours if it has the engine.

    Raises:
        EnvironmentUnavailable: neither has it.
    """
    name = _environment_of(backend)
    if name is None:
        return sys.executable
    if made := _made(name):
        return str(interpreter_of(made))
    if find_spec(ENGINES[name].module):
        return sys.executable
    raise EnvironmentUnavailable(
        f"The engine of backend {backend!r} is not installed; run: paretoserve env create {backend}."
    )


def is_installed(backend: str) -> bool:
    """Whether there is an interpreter that runs a backend."""
    try:
        interpreter_for(backend)
    except EnvironmentUnavailable:
        return False
    return True


def environment_name(backend: str) -> str:
    """The name of the environment that runs a backend; an environment may be called by its own name, too.

    Raises:
        EnvironmentUnavailable: there is none for it.
    """
    name = _environment_of(backend) or backend
    if name not in ENGINES:
        known = dict.fromkeys((*(one.name for one in BACKENDS.values() if one.environment), *ENGINES))
        raise EnvironmentUnavailable(f"There is no environment for {backend!r}; choose from {', '.join(known)}.")
    return name


def create_environment(backend: str, python: str | None = None) -> Path:
    """Make the environment of a backend unless it is there already; its interpreter.

    Made by `python` (a name or a path), by ours unless told otherwise, and where the engine does not run
    on ours by the newest that it runs on.

    Raises:
        EnvironmentUnavailable: there is none for it, no Python fits, or a package cannot be installed.
    """
    name = environment_name(backend)
    base = python_of(name) if python is None else _checked_python(name, find_python(python))
    return environment(name, _contents(name), environments_folder(), base)


def remove_environment(backend: str) -> bool:
    """Remove all environments of a backend, also those of earlier locks; whether there were any.

    Raises:
        EnvironmentUnavailable: there is none for it.
    """
    every = environments_of(environment_name(backend), environments_folder())
    for made in every:
        shutil.rmtree(made, ignore_errors=True)
    return bool(every)


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """What there is of one environment. `folder` is None where none was created; `engine_version` is that of our own
    interpreter then, and None where that has not got the engine either."""

    name: str
    backends: tuple[str, ...]
    folder: Path | None
    engine_version: str | None
    bytes: int | None

    @property
    def interpreter(self) -> Path | None:
        return interpreter_of(self.folder) if self.folder else None


def describe_environments() -> list[EnvironmentState]:
    """Every environment that can be made, and what there is of it."""
    return [_described(name, engine) for name, engine in ENGINES.items()]


def _described(name: str, engine: Engine) -> EnvironmentState:
    backends = tuple(one.name for one in BACKENDS.values() if one.environment == name)
    made = _made(name)
    return EnvironmentState(name, backends, made, _version(engine, made), _size(made) if made else None)


def engine_version(backend: str) -> str | None:
    """The version of the engine that runs a backend; None where there is none, or it is not known."""
    name = _environment_of(backend)
    return _version(ENGINES[name], _made(name)) if name else None


def _version(engine: Engine, made: Path | None) -> str | None:
    """That of an environment, or of our own interpreter where none was created."""
    if made is None:
        return _our_version(engine)
    found = distributions(name=engine.package, path=[str(site_packages_of(made))])
    return next((one.version for one in found), None)


def _our_version(engine: Engine) -> str | None:
    try:
        return version(engine.package) if find_spec(engine.module) else None
    except PackageNotFoundError:
        return None


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())


def _made(name: str) -> Path | None:
    return made_environment(name, _contents(name), environments_folder())


def _contents(name: str) -> Contents:
    return Contents(REQUIREMENTS / f"{name}.txt", complete=True, linked=_our_packages())


def _our_packages() -> tuple[Path, ...]:
    """The folders of our packages in the installation that is running, a clone or a wheel."""
    found = []
    for package in PACKAGES:
        spec = find_spec(package)
        assert spec is not None, "this is a bug: we are installed with all of our packages"
        found += [Path(folder).resolve() for folder in spec.submodule_search_locations or ()]
    return tuple(found)


def python_of(name: str) -> Path:
    """The Python that makes an environment unless told otherwise: ours, or the newest that its engine runs on.

    Raises:
        EnvironmentUnavailable: the engine does not run on ours, and no other is on this machine.
    """
    newest = ENGINES[name].newest_python
    if newest is None or sys.version_info[:2] <= newest:
        return Path(sys.executable)
    try:
        return find_python(f"python{_dotted(newest)}")
    except EnvironmentUnavailable as exc:
        raise EnvironmentUnavailable(
            f"The engine of {name!r} runs on Python {_dotted(newest)} at most, and no python{_dotted(newest)} "
            f"was found; install it, or name one: paretoserve env create {name} --python PATH."
        ) from exc


def _checked_python(name: str, python: Path) -> Path:
    newest = ENGINES[name].newest_python
    found = tuple(map(int, output_of(python, "import sys; print(*sys.version_info[:2])").split()))
    if found < OLDEST_PYTHON or (newest and found > newest):
        most = f" and at most {_dotted(newest)}" if newest else " or later"
        raise EnvironmentUnavailable(
            f"{python.name} is Python {_dotted(found)}, and the environment of {name!r} needs {_dotted(OLDEST_PYTHON)}"
            f"{most}; name another with --python."
        )
    return python


def _dotted(release: Sequence[int]) -> str:
    return ".".join(map(str, release))
