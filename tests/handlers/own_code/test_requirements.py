"""`code/requirements.txt`: installed where that is allowed, named in the error where it is not."""

import zipfile
from pathlib import Path

import pytest

from handlers.own_code.context import Context
from handlers.own_code.requirements import install_requirements
from handlers.user_code import load_user_code
from model_store.code import hashes_of, read_code
from model_store.errors import BackendError, DamagedArtifact
from tests.handlers.variants import write_code

CODE = "import tiny_words\ndef model_fn(model_dir): return tiny_words.WORDS\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def wheel(folder: Path) -> Path:
    """A package that nobody has, where pip finds it."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_words-1.0-py3-none-any.whl", "w") as file:
        info = "tiny_words-1.0.dist-info"
        file.writestr("tiny_words.py", "WORDS = 3\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-words\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return folder


def asking(folder: Path, *lines: str) -> Path:
    write_code(folder, CODE)
    (folder / "code" / "requirements.txt").write_text("\n".join(lines))
    return folder


def test_what_an_import_lacks_is_named_with_what_to_do(tmp_path: Path) -> None:
    folder = asking(tmp_path / "v", "--no-index", "tiny-words==1.0  # words", "numpy")
    words = (
        r"No module named 'tiny_words'\. It may be one of code/requirements\.txt \(tiny-words==1\.0, numpy\): serve it "
    )
    with pytest.raises(BackendError, match=f"{words}with --install-requirements"):
        load_user_code(folder, Context("", {}))


def test_without_a_file_the_error_says_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"Name what it needs in code/requirements\.txt"):
        load_user_code(write_code(tmp_path, CODE), Context("", {}))


@pytest.mark.timeout(300)
def test_it_is_installed_once_and_what_is_here_stays(tmp_path: Path) -> None:
    lines = ("--no-index", f"--find-links {wheel(tmp_path / 'wheels')}", "tiny-words", "msgspec")
    folder = asking(tmp_path / "v", *lines)
    install_requirements(folder, None)
    model_fn = load_user_code(folder, Context("", {})).model_fn
    assert model_fn is not None
    assert model_fn("") == 3
    installed = {one.name for one in (tmp_path / "cache").rglob("site-packages/*")}
    assert "tiny_words.py" in installed
    assert "msgspec" not in installed
    for one in (tmp_path / "wheels").iterdir():
        one.unlink()
    install_requirements(folder, hashes_of(read_code(folder)))


@pytest.mark.timeout(300)
def test_what_cannot_be_installed_beside_what_is_here_is_refused_with_the_reason(tmp_path: Path) -> None:
    folder = asking(tmp_path / "v", "--no-index", "numpy==0.0.1")
    with pytest.raises(BackendError, match=r"requirements\.txt cannot be installed beside .*numpy"):
        install_requirements(folder, None)


def test_a_file_that_is_not_what_was_hashed_is_not_installed(tmp_path: Path) -> None:
    folder = asking(tmp_path / "v", "tiny-words")
    with pytest.raises(DamagedArtifact):
        install_requirements(folder, dict.fromkeys(hashes_of(read_code(folder)), "0" * 64))


def test_a_variant_without_one_needs_nothing(tmp_path: Path) -> None:
    install_requirements(write_code(tmp_path, CODE), None)
    assert not (tmp_path / "cache").exists()
