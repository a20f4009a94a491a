import json
from pathlib import Path

import pytest

from benchmarks.harness import sentences


def test_where_sst2_is_not_available_the_project_makes_sentences_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentences, "SST2", tmp_path / "none")
    made = sentences.load_sentences()
    assert len(set(made.texts)) == sentences.GENERATED
    assert "not available" in made.source
    assert made == sentences.load_sentences()


def test_sst2_is_read_in_its_order_where_it_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev.tsv").write_text('sentence\tlabel\nb "quoted"\t1\na\t0\n')
    monkeypatch.setattr(sentences, "SST2", tmp_path)
    read = sentences.load_sentences()
    assert read.texts == ('b "quoted"', "a")
    assert [json.loads(body) for body in read.bodies()] == [{"inputs": text} for text in read.texts]
