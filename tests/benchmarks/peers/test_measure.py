import pytest

from benchmarks.peers.common.peer import plain_body, plain_label
from benchmarks.peers.contestant import Contestant, _label
from benchmarks.peers.measure import agreement_of
from benchmarks.peers.process import PeerFailed
from loadtest.generator.lean.plan import ClientResult, Record

CONTESTANT = Contestant("a", "batched", "/predict", plain_body, plain_label, lambda cores, log: pytest.fail("unused"))
GOOD, BAD = b'[{"label": "good", "score": 1}]', b'[{"label": "bad", "score": 1}]'


def result(answers: dict[int, bytes], status: int = 200) -> ClientResult:
    return ClientResult([Record(0.0, 0.1, body, status, False) for body in answers], 1.0, 0.0, answers)


def test_labels_that_agree_with_the_engine_are_counted() -> None:
    answers = dict.fromkeys(range(1000), GOOD) | {7: BAD}
    assert agreement_of(CONTESTANT, result(answers), ["good"] * 1000) == 0.999


def test_a_server_with_other_labels_than_the_engine_is_not_measured() -> None:
    answers = {body: GOOD if body else BAD for body in range(100)}
    with pytest.raises(PeerFailed, match=r"a, batched gives the engine's label to 99\.0% of sentences only"):
        agreement_of(CONTESTANT, result(answers), ["good"] * 100)


def test_a_server_that_fails_in_its_warm_up_is_not_measured() -> None:
    with pytest.raises(PeerFailed, match="answered 500 to 1 requests of its warm-up"):
        agreement_of(CONTESTANT, result({0: GOOD}, status=500), ["good"])


def test_our_answer_to_one_text_is_read_with_or_without_a_list_around_it() -> None:
    assert _label(b'{"label": "good", "score": 1}') == _label(GOOD) == "good"
