"""Errors of the user's own that name the status to answer with."""

from http import HTTPStatus
from typing import Any

import pytest

from handlers.own_code.failures import translated, with_own_status
from model_store.errors import BackendError, OwnCodeError


class Refused(Exception):
    def __init__(self, status_code: Any, **attributes: Any) -> None:
        super().__init__("the text")
        self.status_code = status_code
        self.__dict__.update(attributes)


@pytest.mark.parametrize("status", [400, 422, 503, 599, HTTPStatus.NOT_FOUND])
def test_the_status_of_an_error_is_that_of_the_answer(status: int) -> None:
    with pytest.raises(OwnCodeError, match=r"^the text$") as caught, translated("predict_fn"):
        raise Refused(status)
    assert caught.value.status == status


@pytest.mark.parametrize("status", [200, 302, 399, 600, -1, "422", None, 422.0, True])
def test_what_is_no_status_of_an_error_is_not_taken_for_one(status: Any) -> None:
    with (
        pytest.raises(BackendError, match="own predict_fn failed: Refused: the text") as caught,
        translated("predict_fn"),
    ):
        raise Refused(status)
    assert not isinstance(caught.value, OwnCodeError)


@pytest.mark.parametrize("name", ["message", "detail"])
def test_the_text_is_what_the_error_says_is_for_the_client(name: str) -> None:
    assert str(with_own_status(Refused(400, **{name: "for you"}))) == "for you"
    assert str(with_own_status(Refused(400, **{name: {"not": "a text"}}))) == "the text"
    assert len(str(with_own_status(Refused(400, **{name: "x" * 9000})))) < 2100
    assert str(with_own_status(Refused(400, **{name: "\ud800"}))) == "\\ud800"


def test_an_error_whose_properties_fail_is_one_like_any_other() -> None:
    class Odd(Exception):
        @property
        def status_code(self) -> int:
            raise OSError

    with pytest.raises(BackendError, match="failed: Odd"), translated("predict_fn"):
        raise Odd
