from pathlib import Path

import pytest

from model_store.code import hashes_of, read_code, read_hashed_code
from model_store.errors import DamagedArtifact

FILES = {"code/inference.py": b"import words", "code/words.py": b"WORDS = 1", "code/data/words.txt": b"good"}


@pytest.fixture
def variant(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_code_comes_back_as_it_was_hashed(variant: Path) -> None:
    assert read_code(variant) == FILES
    assert read_hashed_code(variant, hashes_of(FILES)) == FILES


def test_what_python_keeps_and_what_is_hidden_is_no_code(variant: Path) -> None:
    for name in ("code/__pycache__/inference.pyc", "code/.notes", "code/.git/config"):
        (variant / name).parent.mkdir(exist_ok=True)
        (variant / name).touch()
    assert read_hashed_code(variant, hashes_of(FILES)) == FILES


def test_a_folder_without_code_has_none(tmp_path: Path) -> None:
    assert read_code(tmp_path) == read_hashed_code(tmp_path, {}) == {}


@pytest.mark.parametrize("file", FILES)
def test_a_changed_file_is_damage(variant: Path, file: str) -> None:
    (variant / file).write_bytes(b"changed")
    with pytest.raises(DamagedArtifact, match=f"'{file}' .* is damaged"):
        read_hashed_code(variant, hashes_of(FILES))


def test_a_missing_file_is_damage(variant: Path) -> None:
    (variant / "code" / "words.py").unlink()
    with pytest.raises(DamagedArtifact, match=r"'code/words\.py' is missing"):
        read_hashed_code(variant, hashes_of(FILES))


@pytest.mark.parametrize("name", ["json.py", "inference.pyc", "data/more.txt"])
def test_a_file_without_a_hash_is_refused(variant: Path, name: str) -> None:
    (variant / "code" / name).write_bytes(b"")
    with pytest.raises(DamagedArtifact, match=f"no SHA-256 of 'code/{name}'"):
        read_hashed_code(variant, hashes_of(FILES))


def test_a_link_to_a_folder_of_modules_is_refused(variant: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (variant / "code" / "package").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedArtifact, match="no SHA-256 of 'code/package'"):
        read_hashed_code(variant, hashes_of(FILES))
    with pytest.raises(DamagedArtifact, match="outside the variant's folder"):
        read_code(variant)
