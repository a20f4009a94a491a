"""What holds for all tests."""

import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Before anybody imports torch: two tests run at a time, and threads that wait for each other do so at full speed.
os.environ.setdefault("OMP_NUM_THREADS", "1")

BuiltOnce = Callable[[str, Callable[[Path], Path]], Path]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--environments",
        action="store_true",
        help="run each engine of the conformance suite in an environment of its own, instead of ours where that has it",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that ask for the most time, so that no process works long after the others have ended."""
    patience_s: dict[Path, float] = {}
    for item in items:
        timeout = item.get_closest_marker("timeout")
        patience_s[item.path] = max(patience_s.get(item.path, 0.0), timeout.args[0] if timeout else 0.0)
    items.sort(key=lambda item: -patience_s[item.path])


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Which interpreter runs a backend, and which engine is chosen, must not depend on what whoever runs the tests has
    made and measured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSERVE_ENVS", str(tmp_path_factory.mktemp("no-environments")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("no-cache")))
        yield


@pytest.fixture(scope="session")
def built_once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BuiltOnce:
    """`built_once(name, build)` is what `build` makes in an empty folder and returns.

    Of the processes of pytest-xdist the first that asks for a name builds it; the others wait and get the same, so no
    test may change it.
    """
    ours = tmp_path_factory.getbasetemp()
    shared = ours.parent if hasattr(request.config, "workerinput") else ours

    def get(name: str, build: Callable[[Path], Path]) -> Path:
        with (shared / f"{name}.built").open("a+") as built:
            fcntl.flock(built, fcntl.LOCK_EX)
            built.seek(0)
            if not (made := built.read()):
                made = str(build(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=shared))))
                built.write(made)
            return Path(made)

    return get


@pytest.fixture(autouse=True)
def _clean_imports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A test that loads a user's code in this process adds to the module path and to the modules; the next one starts
    without them."""
    path, finders, modules = list(sys.path), list(sys.meta_path), set(sys.modules)
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    written = str(tmp_path_factory.getbasetemp())
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(written):
            del sys.modules[name]
