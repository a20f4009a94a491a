import csv
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint
from networks.config import read_shape
from networks.encoder.counts import encoder_parameters
from networks.encoder.shape import EncoderShape
from recipes.steps import nas_run as nas
from recipes.steps.base import StepInput
from recipes.steps.nas import search
from recipes.steps.nas_step import Nas
from recipes.training.loop import train
from recipes.training.state import CurvePoint
from recipes.work.progress import silent
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS * 4))


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StepInput:
    monkeypatch.setattr(search, "POPULATION", 4)
    checkpoint = tiny_checkpoint(tmp_path / "tiny", shape=tiny_shape(heads=(2, 2, 2), units=(24, 24, 24)))
    return StepInput(
        checkpoint=checkpoint,
        tokenizer=checkpoint / "tokenizer.json",
        max_tokens=64,
        train=Split("films", "train", ROWS),
        validation=Split("films", "validation", ROWS[:6]),
        teacher=checkpoint,
        seed=1,
        work=tmp_path / "work",
        shared=tmp_path / "shared",
        latency_s=latency_s,
        report=silent,
        target="fp32@torch",
    )


def latency_s(shape: EncoderShape) -> float:
    return 1e-6 * encoder_parameters(shape)


def asked_again(shape: EncoderShape) -> float:
    raise AssertionError("it was measured already")


def test_a_share_of_all_rows_is_chosen_by_and_not_learnt(given: StepInput, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[StepInput] = []

    def search_and_cut(given: StepInput, order: nas.Order) -> Path:
        seen.append(given)
        return given.work

    monkeypatch.setattr(nas, "search_and_cut", search_and_cut)
    train, validation = replace(given.train, rows=ROWS[:12]), replace(given.validation, rows=ROWS[12:14])
    for choosing in (0.0, 50.0):
        Nas("largest", choosing=choosing).run(replace(given, train=train, validation=validation))
    assert [(len(one.train.rows), len(one.validation.rows)) for one in seen] == [(12, 2), (7, 7)]


def test_the_pick_is_cut_out_and_reported_on(given: StepInput) -> None:
    done = Nas("parameters<=60%", passes=1.0, recovery=1.0, evaluations=7, seeds=2).run(given)
    whole, shape = read_shape(given.checkpoint), load_checkpoint(done).shape
    assert encoder_parameters(shape) <= 0.6 * encoder_parameters(whole)

    with (done / "report" / "evaluations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 7
    picks = [row for row in rows if row["picked"] == "1"]
    assert {(row["heads"], row["units"]) for row in picks} == {
        (" ".join(map(str, shape.heads)), " ".join(map(str, shape.units)))
    }
    assert float(picks[0]["parameters_share"]) <= 0.6

    record = json.loads((done / "report" / "search.json").read_bytes())
    assert record["rule"] == "parameters<=60%"
    assert record["settings"]["seeds"] == [1, 2]
    assert record["hypervolume"].keys() == {"nsga2.1", "nsga2.2", "random.1", "random.2"}
    assert record["evaluations"]["random.2"] == 7
    assert record["dense"]["parameters"] == encoder_parameters(whole)

    chart = ElementTree.fromstring((done / "report" / "front.svg").read_bytes())  # noqa: S314  our own
    words = [element.text for element in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert {"random", "NSGA-II", "front", "pick", "dense"} <= set(words)


def test_another_pick_shares_all_but_its_recovery(given: StepInput, monkeypatch: pytest.MonkeyPatch) -> None:
    Nas("parameters<=60%", passes=1.0, recovery=1.0, evaluations=5).run(given)
    trained: list[int] = []

    def counted(*given: Any) -> list[CurvePoint]:
        trained.append(given[3].steps)
        return train(*given)

    monkeypatch.setattr("recipes.steps.recovery.train", counted)
    monkeypatch.setattr("recipes.steps.nas_supernet.train", counted)
    other = replace(given, work=given.work / "other", latency_s=asked_again)
    done = nas.search_and_cut(other, nas.Order("latency<=80%", passes=1.0, recovery=2.0, evaluations=5, seeds=1))
    assert latency_s(load_checkpoint(done).shape) <= 0.8 * latency_s(read_shape(given.checkpoint))
    assert trained == [2], "one recovery of two passes"
