from pathlib import Path
from typing import Any

import pytest

from handlers.tasks.text_classification import TextClassification
from model_store.errors import DataError
from model_store.rows import Row
from recipes.data.rows import Columns, load_data, read_texts

TARGET = TextClassification(("negative", "positive")).target


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tsv", "sentence\tlabel\ngood\t1\nbad\t0\n", [("good", None, 1), ("bad", None, 0)]),
        ("a.tsv", 'sentence\tlabel\n"never closed\t1\n"bad"\t0', [('"never closed', None, 1), ('"bad"', None, 0)]),
        ("a.tsv", "label\tsentence\r\n1\tgood\r\n", [("good", None, 1)]),
        ("a.tsv", "sentence\tlabel\na\x85b\u2028c\t1\n", [("a\x85b\u2028c", None, 1)]),
        ("a.tsv", b"\xef\xbb\xbfsentence\tlabel\ngood\t1\n", [("good", None, 1)]),
        ("a.tsv", "Sentence\tLABEL\ngood\tPositive\n", [("good", None, 1)]),
        ("a.tsv", "premise\thypothesis\tgold_label\ta\n1\t2\t0\tx\n", [("1", "2", 0)]),
        ("a.tsv", "question1\tquestion2\tlabel\na\tb\t0\n", [("a", "b", 0)]),
        ("a.tsv", "sentence\ttext_pair\tlabel\na\tb\t0\n", [("a", None, 0)]),
        ("a.csv", 'text,label\n"one, ""two""\nthree",1\nbad,0\n', [('one, "two"\nthree', None, 1), ("bad", None, 0)]),
        ("a.csv", "sentence1,sentence2,labels\r\na,b,negative\r\n", [("a", "b", 0)]),
        ("a.jsonl", '{"text": "a", "text_pair": "b", "label": 1}\n\n', [("a", "b", 1)]),
        ("a.jsonl", '{"label": "1", "text": "tab\\tline\\n"}', [("tab\tline\n", None, 1)]),
    ],
)
def test_formats(tmp_path: Path, name: str, content: str | bytes, expected: list[Any]) -> None:
    data = load_data(write(tmp_path, name, content), TARGET)
    assert data.train is None
    assert list(data.evaluation.rows) == [Row(*row) for row in expected]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "", "no rows"),
        ("a.tsv", "sentence\tlabel\n", "no rows"),
        ("a.csv", "", "no rows"),
        ("a.jsonl", "\n", "no rows"),
        ("a.tsv", "words\tlabel\na\t1\n", "found 'words', 'label': name the right one with --text-column"),
        ("a.tsv", "sentence\tscore\na\t1\n", "for the label; found 'sentence', 'score': .* --label-column"),
        ("a.tsv", "sentence\tlabel\na\t1\nb\n", "Line 3 of 'a.tsv' has 1 fields, but the first line names 2"),
        ("a.tsv", "sentence\tlabel\na\t1\nb\tc\t1\n", "Line 3 of 'a.tsv' has 3 fields"),
        ("a.tsv", "sentence\tlabel\na\tgreat\n", "Line 2 of 'a.tsv' has label 'great'.*'negative', 'positive'"),
        ("a.tsv", "sentence\tlabel\na\t2\n", "label '2'"),
        ("a.tsv", "sentence\tlabel\na\t-1\n", "label '-1'"),
        ("a.tsv", b"sentence\tlabel\na\t1\n\xff\t1\n", "Line 3 of 'a.tsv' is not UTF-8"),
        ("a.tsv", b"\xef\xbb\xbfsentence\tlabel\na\t1\n\xff\t1\n", "Line 3 of 'a.tsv' is not UTF-8"),
        ("a.csv", 'text,label\n"a\nb",1\nc,7\n', "Line 4 of 'a.csv' has label '7'"),
        ("a.csv", 'text,label\na,1\n"open,1\n', "Line 3 of 'a.csv' is not CSV"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": }\n', "Line 2 of 'a.jsonl' is not a JSON object"),
        ("a.jsonl", '["a", 1]', "Line 1 of 'a.jsonl' is not a JSON object"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"label": 1}', "Line 2 of 'a.jsonl' has None in column 'text'"),
        ("a.jsonl", '{"text": "a", "label": true}', "label True"),
        ("a.jsonl", '{"text": "a", "label": 1.0}', "label 1.0"),
        ("a.txt", "a", "none of .tsv, .csv, .jsonl"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(write(tmp_path, name, content), TARGET)


def test_columns_can_be_named(tmp_path: Path) -> None:
    source = write(tmp_path, "a.tsv", "title\tbody\tstars\na\tb\t1\n")
    columns = Columns(text="Title", text_pair="body", target="stars")
    assert load_data(source, TARGET, columns).evaluation.rows == (Row("a", "b", 1),)


def test_a_named_column_that_is_missing_is_said(tmp_path: Path) -> None:
    source = write(tmp_path, "a.tsv", "sentence\tlabel\na\t1\n")
    with pytest.raises(DataError, match=r"no column 'body'.*--text-pair-column"):
        load_data(source, TARGET, Columns(text_pair="body"))


def test_a_label_that_looks_like_an_index_is_read_by_name(tmp_path: Path) -> None:
    source = write(tmp_path, "a.tsv", "sentence\tlabel\na\t1\n")
    assert load_data(source, TextClassification(("1", "0")).target).evaluation.rows[0].target == 0


@pytest.mark.parametrize("name", ["dev.tsv", "validation.tsv", "valid.tsv", "test.tsv"])
def test_a_folder_holds_both_splits(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sst2"
    folder.mkdir()
    write(folder, "train.csv", "text,label\na,1\n")
    write(folder, name, "sentence\tlabel\nb\t0\n")
    data = load_data(str(folder), TARGET)
    assert data.train is not None
    assert (data.train.dataset, data.train.split, data.train.rows) == ("sst2", "train", (Row("a", None, 1),))
    assert (data.evaluation.dataset, data.evaluation.split) == ("sst2", Path(name).stem)


def test_a_folder_without_an_evaluation_split_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", "text,label\na,1\n")
    with pytest.raises(DataError, match="none of dev, validation, valid, test"):
        load_data(str(tmp_path), TARGET)


def test_a_path_that_is_not_there_is_not_looked_up_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file or folder"):
        load_data(str(tmp_path / "absent.tsv"), TARGET)


def test_texts_need_no_labels(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path, "a.tsv", "sentence\na\nb\n")) == (("a", None), ("b", None))
