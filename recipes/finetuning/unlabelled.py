"""Texts without labels, about which only a teacher says something."""

from pathlib import Path

from model_store.errors import DataError
from model_store.rows import Row, Split
from recipes.data.files import READERS
from recipes.data.rows import Columns, read_texts
from recipes.data.tokens import Text
from recipes.training.distillation import NO_LABEL


def unlabelled_rows(file: Path, columns: Columns, train: Split, evaluation: Split) -> tuple[Row, ...]:
    """The texts of a file, each once: a text a line (`.txt`), or a table like labelled rows, whose labels are not read.

    Texts of `train` and of `evaluation` are left out: the first have a label, the second are for the final figures.

    Raises:
        DataError: the file cannot be read, has no other texts, or has pairs where the rows have none, or the reverse.
    """
    taken = {(row.text, row.text_pair) for split in (train, evaluation) for row in split.rows}
    texts = [text for text in dict.fromkeys(_texts(file, columns)) if text not in taken]
    if not texts:
        raise DataError(f"{file.name!r} has no texts besides those of the data; give one with texts of its own.")
    if _are_pairs(texts[0]) != (train.rows[0].text_pair is not None):
        found, wanted = ("pairs", "single texts") if _are_pairs(texts[0]) else ("single texts", "pairs")
        raise DataError(f"{file.name!r} has {found}, but the rows of {train.dataset!r} are {wanted}; give {wanted}.")
    return tuple(Row(text, pair, NO_LABEL) for text, pair in texts)


def _are_pairs(text: Text) -> bool:
    return text[1] is not None


def _texts(file: Path, columns: Columns) -> tuple[Text, ...]:
    if not file.is_file():
        raise DataError(f"There is no file {file.name!r}; give one of .txt, {', '.join(READERS)}.")
    return _lines(file) if file.suffix.lower() == ".txt" else read_texts(str(file), columns)


def _lines(file: Path) -> tuple[Text, ...]:
    try:
        content = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise DataError(f"{file.name!r} is not UTF-8 ({exc.reason}); save it as UTF-8.") from exc
    # Not str.splitlines: it also splits at characters that occur inside sentences.
    return tuple((line.strip(), None) for line in content.split("\n") if line.strip())
