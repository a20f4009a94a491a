"""Modules imported from sources that were hashed, whatever has become of their files since."""

import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NoReturn


class HashedModules(MetaPathFinder):
    """Finds the modules of a folder in `sources`, contents by their names in it."""

    def __init__(self, folder: Path, sources: Mapping[str, bytes]) -> None:
        self._folder = folder
        self._sources = {str(folder / name): content for name, content in sources.items()}

    def install(self) -> None:
        """Find modules here before they are looked for on `sys.path`, as if the folder were the first one on it."""
        sys.meta_path.insert(sys.meta_path.index(PathFinder), self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return self.find_as(fullname, fullname)

    def find_as(self, fullname: str, name: str) -> ModuleSpec | None:
        """The module `name` of the folder, as one of another name."""
        stem = self._folder.joinpath(*name.split("."))
        for file, within in ((f"{stem}/__init__.py", [str(stem)]), (f"{stem}.py", None)):
            if (source := self._sources.get(file)) is not None:
                loader = _HashedSource(fullname, file, source)
                return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=within)
        return None


class _HashedSource(SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_data(self, path: str) -> bytes:
        return self._source if path == self.path else super().get_data(path)

    def path_stats(self, path: str) -> NoReturn:
        """Without these no compiled module is looked for, which somebody else may have put there."""
        raise OSError("a source that was hashed has no times")
