import json
from pathlib import Path

from paretoserve.campaigns.accuracy import request_body, write_bodies


def test_a_body_holds_one_text_one_pair_or_a_list() -> None:
    assert json.loads(request_body([("a film", None)])) == {"inputs": "a film"}
    assert json.loads(request_body([("a", "b")])) == {"inputs": {"text": "a", "text_pair": "b"}}
    assert json.loads(request_body([("a", None), ("b", "c")])) == {"inputs": ["a", {"text": "b", "text_pair": "c"}]}


def test_bodies_group_texts_and_leave_out_an_incomplete_last_group(tmp_path: Path) -> None:
    file = write_bodies([(str(i), None) for i in range(7)], 3, tmp_path / "out" / "bodies.jsonl")
    assert [json.loads(line)["inputs"] for line in file.read_text().splitlines()] == [["0", "1", "2"], ["3", "4", "5"]]


def test_fewer_texts_than_a_group_still_make_one_body(tmp_path: Path) -> None:
    file = write_bodies([("a", None)], 16, tmp_path / "bodies.jsonl")
    assert file.read_bytes() == b'{"inputs": "a"}\n'
