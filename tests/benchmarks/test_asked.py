"""A process that is asked again and again: its replies, whatever it prints between them, and its end."""

import sys

import pytest

from benchmarks.harness.asked import asked
from model_store.errors import BackendError

MODULE = "tests.benchmarks.replying"


def test_each_question_has_its_reply_whatever_is_printed_between() -> None:
    with asked(sys.executable, MODULE) as process:
        assert process.ask("a model", dict[str, str]) == {"opened": "a model"}
        assert [process.ask(number, list[object]) for number in (1, 2)] == [["a model", 1], ["a model", 2]]


def test_a_process_that_ends_is_an_error_that_says_which_and_how() -> None:
    with asked(sys.executable, MODULE) as process:
        process.ask("a model", dict[str, str])
        for _ in range(2):
            with pytest.raises(BackendError, match=rf"^{MODULE} ended with 3; it says why above\.$"):
                process.ask("end", object)
