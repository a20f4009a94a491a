"""A folder is a layer, and arrows between folders point one way. This parses every import and keeps it so."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("paretoserve", "recipes", "serving", "handlers", "networks", "model_store", "loadtest")
ENGINES = {"torch", "onnxruntime", "openvino", "deepsparse"}

# What each room may import of the others.
MAY_IMPORT = {
    "paretoserve": ROOMS,
    "recipes": ("recipes", "networks", "model_store"),
    "serving": ("serving", "handlers", "model_store"),
    "handlers": ("handlers", "networks", "model_store"),
    "networks": ("networks", "model_store.errors"),
    "model_store": ("model_store",),
    "loadtest": ("loadtest",),
}
TORCH_BACKENDS = tuple(
    f"handlers.backends.{name}" for name in ("torch", "torch_compiled", "torch_cuda", "torchscript", "transformers")
)
MAY_IMPORT_TORCH = ("recipes", "networks.encoder", *TORCH_BACKENDS, "paretoserve.demo")
MAY_IMPORT_TRANSFORMERS = ("recipes", "handlers.backends.transformers")

LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 300, 45, 7


def modules_of(room: str) -> Iterator[tuple[str, Path]]:
    """The dotted name and the file of each module."""
    for file in sorted((ROOT / room).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def imports_of(source: str) -> set[str]:
    """Every module that `source` imports, also inside functions; of `from a import b` both `a` and `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None, "this is a bug: only a relative import has no module"
            # `from networks import encoder` imports networks.encoder; what is no module is dropped here.
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if _is_module(name)}
            found |= modules if modules == inner else modules | {node.module}
    return found


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def folder_of(module: str) -> str:
    """The folder that a module lies in; a package is its own folder."""
    return module if ROOT.joinpath(*module.split(".")).is_dir() else module.rpartition(".")[0]


FILES = {name: file for room in (*ROOMS, "benchmarks") for name, file in modules_of(room)}
MODULES = {name: imports_of(file.read_text()) for name, file in FILES.items()}


def importers_of(package: str) -> set[str]:
    return {
        name
        for name, imported in MODULES.items()
        if within(name, ROOMS) and any(within(one, (package,)) for one in imported)
    }


def test_both_forms_of_an_import_are_seen() -> None:
    source = "from networks import encoder\ndef later():\n    import torch.nn\n    from json import loads"
    assert imports_of(source) == {"networks.encoder", "torch.nn", "json"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    wrong = {
        (name, imported)
        for name in MODULES
        if within(name, (room,))
        for imported in MODULES[name]
        if within(imported, ROOMS) and not within(imported, MAY_IMPORT[room])
    }
    assert not wrong


def test_no_folder_imports_itself_through_another() -> None:
    graph: dict[str, set[str]] = {}
    for name, imported in MODULES.items():
        others = {folder_of(one) for one in imported if one in MODULES} - {folder_of(name)}
        graph.setdefault(folder_of(name), set()).update(others)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(" → ".join(reversed(exc.args[1])))


def test_what_everyone_may_know_needs_the_standard_library_and_msgspec_only() -> None:
    imported = set().union(*(MODULES[name] for name in MODULES if within(name, ("model_store",))))
    roots = {name.split(".")[0] for name in imported}
    assert roots - sys.stdlib_module_names <= {"msgspec", "model_store"}


def test_only_who_trains_and_the_backends_of_torch_import_torch() -> None:
    assert {name for name in importers_of("torch") if not within(name, MAY_IMPORT_TORCH)} == set()


def test_only_recipes_and_its_own_backend_import_transformers() -> None:
    assert {name for name in importers_of("transformers") if not within(name, MAY_IMPORT_TRANSFORMERS)} == set()


def test_serving_imports_no_engine() -> None:
    engines = set().union(*map(importers_of, ENGINES))
    assert {name for name in engines if within(name, ("serving",))} == set()


def test_the_serving_path_needs_no_engine_and_no_load_generator() -> None:
    code = (
        "import sys, serving.front.server, serving.worker.process, handlers.handler\n"
        "import paretoserve.cli, paretoserve.candidates.candidate\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "serving" in loaded
    assert loaded.isdisjoint(ENGINES | {"matplotlib", "locust", "gevent", "scipy", "transformers", "nncf", "onnx"})


def test_the_front_starts_without_arrays_and_tokenizers() -> None:
    """It hands on bytes; what it does not import it need not wait for at a start."""
    code = "import sys, paretoserve.cli, paretoserve.candidates.candidate, serving.front.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "serving.front.app" in loaded
    assert loaded.isdisjoint(ENGINES | {"numpy", "tokenizers"})


def _functions() -> Iterator[tuple[str, int]]:
    for name, file in FILES.items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield f"{name}.{node.name}", node.end_lineno - node.lineno + 1


def test_files_and_functions_are_short_enough_to_see_whole() -> None:
    files = {name: len(file.read_text().splitlines()) for name, file in FILES.items()}
    functions = list(_functions())
    assert {name: lines for name, lines in files.items() if lines > LONGEST_FILE} == {}
    assert {name: lines for name, lines in functions if lines > LONGEST_FUNCTION} == {}
    assert statistics.median(lines for _, lines in functions) <= MEDIAN_FUNCTION
