from pathlib import Path

import pytest

from model_store.errors import DataError
from model_store.rows import Row, Split
from recipes.data.rows import Columns
from recipes.finetuning.unlabelled import unlabelled_rows
from recipes.training.distillation import NO_LABEL

TRAIN = Split("films", "train", (Row("a good film", None, 1),))
NO_NAMES = Columns()
DEV = Split("films", "dev", (Row("a bad film", None, 0),))
PAIRS = Split("pairs", "train", (Row("a film", "a movie", 1),))


def rows(file: Path, content: str, train: Split = TRAIN, columns: Columns = NO_NAMES) -> list[tuple[str, str | None]]:
    file.write_text(content)
    found = unlabelled_rows(file, columns, train, DEV)
    assert {row.target for row in found} == {NO_LABEL}
    return [(row.text, row.text_pair) for row in found]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.txt", "one\n\n  two \r\nthree \x85 four\n"),
        ("t.tsv", "sentence\none\ntwo\nthree \x85 four\n"),
        ("t.csv", 'label,sentence\n,one\n7,two\n,"three \x85 four"\n'),
        ("t.jsonl", '{"text": "one"}\n{"text": "two"}\n{"text": "three \x85 four"}\n'),
    ],
)
def test_texts_are_read_from_lines_and_from_tables(tmp_path: Path, name: str, content: str) -> None:
    assert rows(tmp_path / name, content) == [("one", None), ("two", None), ("three \x85 four", None)]


def test_another_column_may_be_named(tmp_path: Path) -> None:
    assert rows(tmp_path / "t.tsv", "body\none\n", columns=Columns(text="body")) == [("one", None)]


def test_pairs_are_read_for_pairs(tmp_path: Path) -> None:
    assert rows(tmp_path / "t.tsv", "sentence1\tsentence2\na\tb\n", PAIRS) == [("a", "b")]


def test_texts_of_the_data_and_repeated_ones_are_left_out(tmp_path: Path) -> None:
    assert rows(tmp_path / "t.txt", "new\na bad film\nnew\na good film\n") == [("new", None)]


@pytest.mark.parametrize(
    ("name", "content", "train", "message"),
    [
        ("t.txt", "a bad film\n", TRAIN, "'t.txt' has no texts besides those of the data"),
        ("t.txt", "one\n", PAIRS, "'t.txt' has single texts, but the rows of 'pairs' are pairs; give pairs"),
        ("t.tsv", "sentence1\tsentence2\na\tb\n", TRAIN, "has pairs, but the rows of 'films' are single texts"),
        ("t.pdf", "one\n", TRAIN, "'t.pdf' is none of .tsv, .csv, .jsonl"),
    ],
)
def test_texts_that_do_not_fit_are_refused(tmp_path: Path, name: str, content: str, train: Split, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rows(tmp_path / name, content, train)


def test_a_missing_file_and_one_that_is_not_utf_8_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file 't.txt'; give one of .txt, .tsv"):
        unlabelled_rows(tmp_path / "t.txt", Columns(), TRAIN, DEV)
    (tmp_path / "t.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"'t.txt' is not UTF-8"):
        unlabelled_rows(tmp_path / "t.txt", Columns(), TRAIN, DEV)
