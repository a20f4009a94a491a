import json
from pathlib import Path

import msgspec
import pytest

from loadtest.results.comparison import Quality
from model_store.manifest import Difference
from model_store.manifest import Quality as BuiltQuality
from paretoserve.campaigns.quality import request_body, with_difference, write_bodies


def test_a_body_holds_one_input_or_a_list() -> None:
    pair = {"text": "a", "text_pair": "b"}
    assert json.loads(request_body(["a film"])) == {"inputs": "a film"}
    assert json.loads(request_body([pair])) == {"inputs": pair}
    assert json.loads(request_body(["a film", pair])) == {"inputs": ["a film", pair]}


def test_bodies_group_texts_and_leave_out_an_incomplete_last_group(tmp_path: Path) -> None:
    file = write_bodies([str(i) for i in range(7)], 3, tmp_path / "out" / "bodies.jsonl")
    assert [json.loads(line)["inputs"] for line in file.read_text().splitlines()] == [["0", "1", "2"], ["3", "4", "5"]]


def test_fewer_texts_than_a_group_still_make_one_body(tmp_path: Path) -> None:
    file = write_bodies(["a"], 16, tmp_path / "bodies.jsonl")
    assert file.read_bytes() == b'{"inputs": "a"}\n'


def test_what_was_found_against_dense_counts_for_the_rows_that_it_was_found_on() -> None:
    against = Difference(value=-0.01, interval=(-0.02, 0.0), p=0.1, agreement=0.99)
    built = BuiltQuality(dataset="sst2", split="dev", metric="accuracy", value=0.9, n=872, against_dense=against)
    served = Quality(0.9, "accuracy", 872, "sst2/dev")
    found = with_difference(served, built).against_dense
    assert found is not None
    assert (found.value, found.interval, found.p, found.agreement) == (-0.01, (-0.02, 0.0), 0.1, 0.99)


@pytest.mark.parametrize("other", [{"n": 871}, {"split": "test"}, {"dataset": "rte"}, {"against_dense": None}])
def test_of_other_rows_nothing_is_said_against_dense(other: dict[str, object]) -> None:
    against = Difference(value=-0.01, interval=(-0.02, 0.0), p=0.1, agreement=0.99)
    built = BuiltQuality(dataset="sst2", split="dev", metric="accuracy", value=0.9, n=872, against_dense=against)
    served = Quality(0.9, "accuracy", 872, "sst2/dev")
    assert with_difference(served, msgspec.structs.replace(built, **other)) == served
    assert with_difference(served, None) == served
