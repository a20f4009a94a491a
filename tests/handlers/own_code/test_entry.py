"""Which file of `code/` has the functions."""

from pathlib import Path

import pytest

from handlers.inferred import manifest_of
from handlers.own_code.entry import PROGRAM, entry_name
from model_store.errors import StoreError
from tests.handlers.variants import write_code


def test_it_is_inference_unless_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_code(tmp_path, "")
    (folder / "code" / "train_deploy.py").touch()
    assert entry_name(folder) == "code/inference.py"
    for named in ("train_deploy.py", "train_deploy"):
        monkeypatch.setenv(PROGRAM, named)
        assert entry_name(folder) == "code/train_deploy.py"


def test_a_folder_with_another_program_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_code(tmp_path, "").joinpath("code", "inference.py").rename(tmp_path / "code" / "train_deploy.py")
    with pytest.raises(StoreError, match="cannot be served"):
        manifest_of(tmp_path)
    monkeypatch.setenv(PROGRAM, "train_deploy.py")
    assert manifest_of(tmp_path).artifacts == {}


@pytest.mark.parametrize("named", ["other.py", "code/inference.py", "../code/inference.py", "/etc/passwd", "a b"])
def test_a_program_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv(PROGRAM, named)
    with pytest.raises(StoreError, match=r"SAGEMAKER_PROGRAM is .* has inference\.py; name one of these"):
        entry_name(write_code(tmp_path, ""))


def test_a_variant_without_code_has_none_whatever_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRAM, "train_deploy.py")
    assert entry_name(tmp_path) is None
