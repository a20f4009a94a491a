from typing import Any

import datasets
import pytest

from handlers.tasks.text_classification import TextClassification
from model_store.errors import DataError
from model_store.rows import Row, TargetColumn
from recipes.data.rows import load_data, read_texts

Loaded = dict[str, Any]


def rows(labels: list[int], names: list[str]) -> Any:
    features = datasets.Features({"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    return datasets.Dataset.from_dict({"sentence": ["a"] * len(labels), "label": labels}, features=features)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """A hub that holds one data set, `org/films:en`."""
    splits: Loaded = {}

    def load_dataset(name: str, configuration: str | None) -> Loaded:
        if (name, configuration) != ("org/films", "en"):
            raise datasets.exceptions.DatasetNotFoundError(f"Dataset {name!r} doesn't exist on the Hub.\nmore")
        return splits

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return splits


def test_classes_match_by_name_where_the_names_are_the_models(hub: Loaded) -> None:
    hub |= {"train": rows([0], ["Positive", "Negative"]), "validation": rows([1, 0], ["Positive", "Negative"])}
    data = load_data("org/films:en", TextClassification(("negative", "positive")).target)
    assert [row.target for row in data.evaluation.rows] == [0, 1]
    assert data.train is not None
    assert data.train.rows == (Row("a", None, 1),)
    assert (data.evaluation.dataset, data.evaluation.split) == ("org/films:en", "validation")


def test_classes_of_other_names_match_by_index(hub: Loaded) -> None:
    hub["test"] = rows([1, 0], ["bad", "good"])
    assert [
        row.target
        for row in load_data("org/films:en", TextClassification(("LABEL_0", "LABEL_1")).target).evaluation.rows
    ] == [1, 0]


def test_the_data_sets_own_names_are_taken_where_they_are_asked_for(hub: Loaded) -> None:
    hub["test"] = rows([1, 0], ["bad", "good"])
    target = TargetColumn("label", ("label",), str, classes=None)
    assert [row.target for row in load_data("org/films:en", target).evaluation.rows] == ["good", "bad"]


def test_texts_are_read_whatever_the_labels(hub: Loaded) -> None:
    hub["test"] = rows([1, -1], ["bad", "good"])
    assert read_texts("org/films:en") == (("a", None), ("a", None))


def test_a_split_without_labels_is_refused(hub: Loaded) -> None:
    hub["test"] = rows([-1], ["negative", "positive"])
    with pytest.raises(DataError, match="Row 0 of test of 'org/films:en' has label -1"):
        load_data("org/films:en", TextClassification(("negative", "positive")).target)


def test_a_data_set_without_an_evaluation_split_is_refused(hub: Loaded) -> None:
    hub["train"] = rows([1], ["bad", "good"])
    with pytest.raises(DataError, match="it has train"):
        load_data("org/films:en", TextClassification(("bad", "good")).target)


@pytest.mark.usefixtures("hub")
def test_a_data_set_that_cannot_be_had_is_named() -> None:
    with pytest.raises(DataError, match=r"'org/other' is no file or folder here.*check the name and the network"):
        load_data("org/other", TextClassification(("bad", "good")).target)
