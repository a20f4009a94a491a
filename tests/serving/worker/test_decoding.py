"""The first step with a request, where it meets a bug."""

import math
from dataclasses import dataclass

import pytest

from handlers.handler import Prepared
from handlers.payloads.request import RawRequest
from serving.wire.messages import Ask
from serving.wire.timings import Timings
from serving.worker.decoding import decode
from serving.worker.job import Job
from tests.serving.worker.test_streams import EchoHandler


class Panic(BaseException):
    """As a tokenizer raises it: no Exception."""


@dataclass
class BrokenHandler(EchoHandler):
    raises: BaseException = Panic()

    def prepare(self, request: RawRequest) -> Prepared:
        raise self.raises


@pytest.mark.parametrize("bug", [Panic(), ZeroDivisionError(), SystemExit(3)])
def test_a_request_that_meets_a_bug_is_answered_and_its_details_are_not_told(bug: BaseException) -> None:
    ask = Ask(1, b"", "", "", "invocations", None, math.inf, math.inf)
    reply = decode(BrokenHandler(raises=bug), Job(1, math.inf, math.inf, Timings()), ask)
    assert reply is not None
    assert (reply.error, "Internal error" in reply.message) == ("ParetoServeError", True)
