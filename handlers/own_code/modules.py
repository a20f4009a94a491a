"""The user's modules beside ours: `import handlers` is theirs in their code and ours in ours.

A module of `code/` comes before all others for the modules of `code/`, as it does on SageMaker, and for them alone. One
whose name this process has given away already is imported within a package that is made for it, and the modules of
`code/` have an `__import__` that looks there.
"""

import builtins
import itertools
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

from handlers.own_code import toolkit
from handlers.own_code.hashed_modules import HashedModules

OURS = ("handlers", "serving", "networks", "model_store", "paretoserve", "recipes", "loadtest")
"""Our own packages: some of their modules are imported only when they are needed."""

_numbers = itertools.count()


def import_module_of(folder: Path, name: str, code: Mapping[str, bytes] | None) -> ModuleType:
    """Import a module of `code/` (`folder`), which may import its neighbours.

    Where its files were hashed, `code` has them by their names in the variant, and they are imported from there.

    Raises:
        BaseException: whatever the module raises.
    """
    hashed = None if code is None else HashedModules(folder, {_inside(file): code[file] for file in code})
    taken, package = _taken(folder), f"_own_code_{next(_numbers)}"
    if taken:
        _make_package(package, folder)
        sys.meta_path.insert(0, _OwnModules(folder, package, taken, hashed))
    if hashed:
        hashed.install()
        # What else lies there, as compiled modules, is found last: what is added later takes no other module's place.
        sys.path.append(str(folder))
    else:
        sys.path.insert(0, str(folder))
    toolkit.install()
    return import_module(f"{package}.{name}" if name in taken else name)


def _inside(file: str) -> str:
    """`code/package/module.py` without `code/`."""
    return str(PurePath(*PurePath(file).parts[1:]))


def _taken(folder: Path) -> set[str]:
    """The names of modules in `folder` that mean others in this process."""
    names = {one.stem for one in folder.glob("*.py")} | {
        one.name for one in folder.iterdir() if (one / "__init__.py").is_file() or (one.name in OURS and one.is_dir())
    }
    for name in names.intersection(OURS):
        with suppress(ImportError):  # some environments have not got all of them
            import_module(name)
    return names & sys.modules.keys()


def _make_package(name: str, folder: Path) -> None:
    """A package whose modules are those of `folder`."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


class _OwnModules(MetaPathFinder):
    """Finds the modules of `folder`, under the names `taken` only within `package`."""

    def __init__(self, folder: Path, package: str, taken: set[str], hashed: HashedModules | None) -> None:
        self._folder, self._prefix, self._taken, self._hashed = str(folder), f"{package}.", taken, hashed
        self._builtins = {**vars(builtins), "__import__": self._import}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        name = fullname.removeprefix(self._prefix)
        if name == fullname and name.partition(".")[0] in self._taken:
            return None
        if self._hashed:
            spec = self._hashed.find_as(fullname, name)
        else:
            spec = PathFinder.find_spec(fullname, [self._folder] if path is None else path)
        if spec is None or spec.loader is None or not str(spec.origin).startswith(f"{self._folder}/"):
            return None
        if str(spec.origin).endswith(".py"):
            spec.loader = _WithBuiltins(spec.loader, self._builtins)
        return spec

    def _import(
        self, name: str, namespace: Any = None, local: Any = None, fromlist: Sequence[str] = (), level: int = 0
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or top not in self._taken:
            return __import__(name, namespace, local, fromlist, level)
        if fromlist:
            return __import__(self._prefix + name, namespace, local, fromlist, 0)
        import_module(self._prefix + name)
        return sys.modules[self._prefix + top]


class _WithBuiltins(Loader):
    """Runs a module with other builtins."""

    def __init__(self, loader: Loader, names: dict[str, Any]) -> None:
        self._loader, self._names = loader, names

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self._names
        self._loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
