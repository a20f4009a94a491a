import json
from pathlib import Path

from paretoserve.campaigns.quality import request_body, write_bodies


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
