"""A folder is a layer, and arrows between layers point one way. This parses every import and keeps it so."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("paretoserve", "serving", "handlers", "model_store", "loadtest")
ENGINES = {"torch", "onnxruntime", "openvino", "deepsparse"}

# What each layer may import of the others; more only where the exceptions below say so.
MAY_IMPORT = {
    "paretoserve": LAYERS,
    "serving": ("serving", "handlers", "model_store.manifest", "model_store.errors", "model_store.store"),
    "handlers": ("handlers", "model_store.manifest", "model_store.errors"),
    "model_store": ("model_store",),
    "loadtest": ("loadtest",),
}
TORCH_BACKENDS = tuple(f"handlers.backends.{name}" for name in ("torch", "torch_compiled", "torch_cuda", "torchscript"))
EXCEPTIONS = dict.fromkeys(TORCH_BACKENDS, ("model_store.bert",))

MAY_IMPORT_TORCH = ("model_store.recipes", "model_store.bert", *TORCH_BACKENDS, "paretoserve.demo")
LEAVES = ("model_store.manifest", "model_store.errors")


def modules_of(layer: str) -> Iterator[tuple[str, Path]]:
    """The dotted name and the file of each module."""
    for file in sorted((ROOT / layer).rglob("*.py")):
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
            # `from model_store import bert` imports model_store.bert; what is no module is dropped here.
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if _is_module(name)}
            found |= modules if modules == inner else modules | {node.module}
    return found


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


MODULES = {name: imports_of(file.read_text()) for layer in LAYERS for name, file in modules_of(layer)}


def importers_of(package: str) -> set[str]:
    return {name for name, imported in MODULES.items() if any(within(one, (package,)) for one in imported)}


def test_both_forms_of_an_import_are_seen() -> None:
    source = "from model_store import bert\ndef later():\n    import torch.nn\n    from json import loads"
    assert imports_of(source) == {"model_store.bert", "torch.nn", "json"}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_the_layers_below_it(layer: str) -> None:
    wrong = {
        (name, imported)
        for name in MODULES
        if within(name, (layer,))
        for imported in MODULES[name]
        if within(imported, LAYERS) and not within(imported, (*MAY_IMPORT[layer], *EXCEPTIONS.get(name, ())))
    }
    assert not wrong


@pytest.mark.parametrize("leaf", LEAVES)
def test_the_manifest_is_a_leaf(leaf: str) -> None:
    others = {name for name in MODULES[leaf] if name.split(".")[0] not in sys.stdlib_module_names}
    assert others <= {"msgspec", *LEAVES}


def test_only_recipes_and_the_backends_of_torch_import_torch() -> None:
    assert {name for name in importers_of("torch") if not within(name, MAY_IMPORT_TORCH)} == set()


def test_nobody_imports_transformers() -> None:
    assert importers_of("transformers") == set()


def test_serving_imports_no_engine() -> None:
    engines = set().union(*map(importers_of, ENGINES))
    assert {name for name in engines if within(name, ("serving",))} == set()


def test_the_serving_path_needs_no_engine_and_no_load_generator() -> None:
    code = (
        "import sys, serving.server, serving.worker, handlers.handler, paretoserve.cli, paretoserve.candidates\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "serving" in loaded
    assert loaded.isdisjoint(ENGINES | {"matplotlib", "locust", "gevent", "scipy", "transformers", "nncf", "onnx"})


def test_the_front_starts_without_arrays_and_tokenizers() -> None:
    """It hands on bytes; what it does not import it need not wait for at a start."""
    code = "import sys, paretoserve.cli, paretoserve.candidates, serving.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "serving.app" in loaded
    assert loaded.isdisjoint(ENGINES | {"numpy", "tokenizers"})
