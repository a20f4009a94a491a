import py_compile
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from handlers.own_code.arguments import ARGUMENTS
from handlers.own_code.context import Context
from handlers.user_code import UserCode, load_user_code
from model_store.code import hashes_of, read_code
from model_store.errors import BackendError, DamagedArtifact
from tests.handlers.variants import write_code

CONTEXT = Context("the folder", {"variant": "mine"})


def load(folder: Path, code: str) -> UserCode:
    return load_user_code(write_code(folder, code), CONTEXT)


def test_a_variant_without_code_has_none_of_the_functions(tmp_path: Path) -> None:
    assert load_user_code(tmp_path, CONTEXT) == UserCode()


def test_functions_are_found_and_those_not_defined_stay_ours(tmp_path: Path) -> None:
    user = load(tmp_path, "def input_fn(body, kind): return body, kind\noutput_fn = None\n")
    assert user.input_fn is not None
    assert user.input_fn("text", "text/csv") == ("text", "text/csv")
    assert (user.model_fn, user.predict_fn, user.output_fn) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "arguments", "replaces"),
    [
        ("model_fn", "model_dir", True),
        ("input_fn", "body, content_type", False),
        ("predict_fn", "data, model", True),
        ("output_fn", "prediction, accept", False),
    ],
)
def test_each_function_may_be_replaced_alone(tmp_path: Path, name: str, arguments: str, replaces: bool) -> None:
    user = load(tmp_path, f"def {name}({arguments}): return 'mine'\n")
    assert [function for function in ARGUMENTS if getattr(user, function)] == [name]
    assert user.replaces_the_model is replaces


def test_a_function_that_takes_one_more_argument_is_given_the_context(tmp_path: Path) -> None:
    code = "def model_fn(model_dir, context): return model_dir, context.model_dir, context.manifest['variant']\n"
    model_fn = load(tmp_path, code).model_fn
    assert model_fn is not None
    assert model_fn("asked") == ("asked", "the folder", "mine")


TENSOR = {"name": "ids", "datatype": "INT64", "shape": [-1]}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "def predict_fn(data): ...",
            "predict_fn takes 1 arguments; it must take 2 .data, model., or 3 with",
        ),
        ("def model_fn(a, b, c): ...", "model_fn takes 3 arguments; it must take 1 .model_dir., or 2 with a context"),
        ("predict_fn = min", "predict_fn has no signature that can be read"),
        ("import there_is_no_such_module", "cannot be imported: ModuleNotFoundError: .*there_is_no_such_module"),
        ("def model_fn(:", "cannot be imported: SyntaxError"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        (
            "def transform_fn(model, data, kind, accept): ...\ndef output_fn(a, b): ...",
            "defines transform_fn and output_fn; transform_fn stands for .* define it alone",
        ),
        ("predict_fn = 5", "predict_fn is no function"),
        (
            f"V2_INPUTS = V2_OUTPUTS = [{TENSOR}]\ndef input_fn(body, kind): ...",
            "declares tensors; define a model_fn or",
        ),
        (
            f"V2_INPUTS = V2_OUTPUTS = [{TENSOR}]\ndef model_fn(model_dir): ...\n"
            "def transform_fn(model, data, kind, accept): ...",
            "declares tensors; define a model_fn or",
        ),
    ],
)
def test_code_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(BackendError, match=f"inference.py.*{words}"):
        load(tmp_path, code)


def test_the_module_may_import_its_neighbours(tmp_path: Path) -> None:
    write_code(tmp_path, "")
    (tmp_path / "code" / "neighbour.py").write_text("ANSWER = 42\n")
    model_fn = load(tmp_path, "import neighbour\ndef model_fn(model_dir): return neighbour.ANSWER\n").model_fn
    assert model_fn is not None
    assert model_fn("") == 42


# Code that was hashed


def hashed(folder: Path, **modules: str) -> dict[str, str]:
    """Write modules below `code/`, a `__` in a name standing for a folder; their hashes."""
    for name, source in modules.items():
        file = folder / "code" / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return hashes_of(read_code(folder))


def test_code_that_was_hashed_is_imported_with_its_neighbours_and_its_packages(tmp_path: Path) -> None:
    inference = (
        "import neighbour\nfrom package.inner import two\n"
        "def predict_fn(data, model):\n    import later\n    return neighbour.one, two, later.three, __file__\n"
    )
    sha256 = hashed(tmp_path, inference=inference, neighbour="one = 1", package__inner="two = 2", later="three = 3")
    predict_fn = load_user_code(tmp_path, CONTEXT, sha256).predict_fn
    assert predict_fn is not None
    # What is imported later, too, is what was hashed.
    (tmp_path / "code" / "later.py").write_text("three = 'evil'")
    (tmp_path / "code" / "inference.py").unlink()
    assert predict_fn(None, None) == (1, 2, 3, str(tmp_path / "code" / "inference.py"))
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_compiled_module_that_lies_beside_the_source_is_not_imported(tmp_path: Path) -> None:
    sha256 = hashed(tmp_path, inference="def model_fn(folder): return 'hashed'")
    evil = tmp_path / "evil.py"
    evil.write_text("def model_fn(folder): return 'evil'")
    compiled = cache_from_source(str(tmp_path / "code" / "inference.py"))
    py_compile.compile(str(evil), compiled, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    model_fn = load_user_code(tmp_path, CONTEXT, sha256).model_fn
    assert model_fn is not None
    assert model_fn("") == "hashed"


@pytest.mark.parametrize("hashes", ["none of it", "another"])
def test_code_that_is_not_what_was_hashed_is_not_imported(tmp_path: Path, hashes: str) -> None:
    sha256 = hashed(tmp_path, inference="1 / 0")
    told = {} if hashes == "none of it" else dict.fromkeys(sha256, "0" * 64)
    with pytest.raises(DamagedArtifact):
        load_user_code(tmp_path, CONTEXT, told)


def test_a_variant_that_was_hashed_without_code_has_none(tmp_path: Path) -> None:
    assert load_user_code(tmp_path, CONTEXT, {}) == UserCode()
