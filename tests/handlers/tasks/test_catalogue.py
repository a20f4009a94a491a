import subprocess
import sys

import pytest

from handlers.tasks.catalogue import TASKS, open_task, settings_of, task_for
from handlers.tasks.text_classification import TextClassification
from model_store.errors import StoreError


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_opened_again_from_its_settings(name: str) -> None:
    task = task_for(name, ["score"])
    assert open_task(name, settings_of(task)) == task


def test_text_classification_keeps_the_names_of_the_network_s_numbers_as_labels() -> None:
    task = task_for("text-classification", ("no", "yes"))
    assert (task, task.width) == (TextClassification(("no", "yes")), 2)
    assert settings_of(task) == {"labels": ["no", "yes"]}


def test_an_unknown_task_is_answered_with_the_known_ones() -> None:
    with pytest.raises(StoreError, match="no task 'summarization'; choose from text-classification"):
        open_task("summarization", {})


def test_settings_that_a_task_does_not_understand_are_refused() -> None:
    with pytest.raises(StoreError, match=r"settings of task 'text-classification' cannot be read .*labels"):
        open_task("text-classification", {"names": []})


def test_the_names_of_tasks_are_known_without_arrays_and_tokenizers() -> None:
    code = "import sys, handlers.tasks.catalogue; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numpy", "tokenizers"}.isdisjoint(done.stdout.split())
