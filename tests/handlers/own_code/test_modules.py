"""The user's modules that are called like ours: each side imports its own."""

import sys
from pathlib import Path

import pytest

import handlers
from handlers.own_code.modules import OURS, import_module_of
from model_store.code import read_code


def written(folder: Path, **modules: str) -> Path:
    """Modules in `code/`; a `__` in a name stands for a folder."""
    for name, source in modules.items():
        file = folder / "code" / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return folder


@pytest.fixture(params=["as it lies", "hashed"])
def is_hashed(request: pytest.FixtureRequest) -> bool:
    return str(request.param) == "hashed"


def imported(folder: Path, is_hashed: bool, name: str = "inference") -> dict[str, object]:
    return vars(import_module_of(folder / "code", name, read_code(folder) if is_hashed else None))


@pytest.mark.parametrize("name", [*OURS, "json", "queue", "numpy"])
def test_a_module_called_like_another_is_theirs_in_their_code_only(tmp_path: Path, is_hashed: bool, name: str) -> None:
    before = sys.modules.get(name)
    inference = f"import {name}\nfrom {name} import mine\ndef later():\n    import {name}\n    return {name}.mine\n"
    found = imported(written(tmp_path, inference=inference, **{name: "mine = 42"}), is_hashed)
    assert found["mine"] == 42
    assert found["later"]() == 42  # type: ignore[operator]
    if before is not None:
        assert sys.modules[name] is before
    assert not hasattr(sys.modules.get(name), "mine") or before is None


def test_a_package_called_like_ours_may_be_imported_in_every_way(tmp_path: Path, is_hashed: bool) -> None:
    inference = (
        "import handlers.one\nimport handlers.two as two\nfrom handlers import three\nfrom handlers.three import DEEP\n"
        "import neighbour\nfound = [handlers.one.ONE, two.TWO, three.THREE, DEEP, neighbour.ONE]\n"
    )
    modules = {
        "handlers____init__": "",
        "handlers__one": "from .two import TWO\nONE = TWO - 1",
        "handlers__two": "TWO = 2",
        "handlers__three": "from handlers.one import ONE\nimport serving\nTHREE = ONE + serving.TWO\nDEEP = 4",
        "serving": "TWO = 2",
        "neighbour": "from handlers.one import ONE",
    }
    assert imported(written(tmp_path, inference=inference, **modules), is_hashed)["found"] == [1, 2, 3, 4, 1]


def test_ours_are_still_imported_by_us(tmp_path: Path, is_hashed: bool) -> None:
    folder = written(
        tmp_path, inference="import handlers", handlers="mine = 1", networks="mine = 1", recipes="mine = 1"
    )
    imported(folder, is_hashed)
    import networks.config
    import recipes.grammar  # noqa: F401

    assert sys.modules["handlers"] is handlers
    assert hasattr(networks.config, "read_shape")


def test_the_module_itself_may_be_called_like_ours(tmp_path: Path, is_hashed: bool) -> None:
    assert imported(written(tmp_path, serving="mine = 1"), is_hashed, "serving")["mine"] == 1


def test_two_variants_of_one_process_have_modules_of_their_own(tmp_path: Path, is_hashed: bool) -> None:
    for number in (1, 2):
        folder = written(tmp_path / str(number), inference="import words\nmine = words.mine", words=f"mine = {number}")
        assert imported(folder, is_hashed)["mine"] == number


def test_a_folder_of_data_hides_no_module(tmp_path: Path, is_hashed: bool) -> None:
    folder = written(tmp_path, inference="import json\nmine = json.loads('1')")
    (folder / "code" / "json").mkdir()
    (folder / "code" / "json" / "words.json").write_text("[]")
    assert imported(folder, is_hashed)["mine"] == 1
