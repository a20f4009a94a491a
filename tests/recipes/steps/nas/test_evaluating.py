import multiprocessing
from pathlib import Path

import pytest

from model_store.errors import RecipeError
from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from networks.encoder.prefix import LayerPrefix, kept_layers
from networks.encoder.slicing import sliced
from recipes.data.tokens import load_tokenizer
from recipes.steps.nas import search
from recipes.steps.nas.evaluating import Judge, judged
from recipes.steps.nas.latency import LatencyTable
from recipes.steps.nas.search import Point, Search
from recipes.steps.nas.space import Space
from recipes.training.evaluation import Evaluation
from recipes.work.progress import silent
from tests.tiny import TEXTS, tiny_checkpoint

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS))


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    return Judge(checkpoint, Evaluation.of(load_tokenizer(checkpoint / "tokenizer.json", 64), ROWS))


def test_errors_are_those_of_the_networks_cut_out_in_the_order_asked(judge: Judge) -> None:
    asked = [(LayerPrefix(0, 1, units), LayerPrefix(1, 2, 64)) for units in (1, 64, 8, 30, 1)]
    encoder = load_checkpoint(judge.checkpoint)
    expected = [1 - judge.rows.accuracy(sliced(encoder, kept_layers(kept))) for kept in asked]
    with judged(judge, 1) as errors:
        assert list(errors(asked)) == expected


def test_two_processes_find_what_one_finds_each_sub_network_once(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "POPULATION", 4)
    space = Space(load_checkpoint(judge.checkpoint).shape, drop_order=(1, 0))
    table = LatencyTable(0.001, (1, 2), (2, 64), ((1e-4, 2e-4), (2e-4, 4e-4)))

    def found(jobs: int) -> list[Point]:
        with judged(judge, jobs) as errors:
            return Search(tmp_path / f"{jobs}.journal", space, errors, table).run([0], 10, silent)

    alone, together = found(1), found(2)
    assert not multiprocessing.active_children()
    assert together == alone
    assert [one.number for one in together] == [*range(10), *range(10)]


def test_a_process_that_dies_is_told(judge: Judge) -> None:
    with judged(judge, 2) as errors:
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
        with pytest.raises(RecipeError, match="fewer --jobs"):
            list(errors([(LayerPrefix(0, 1, 1),)] * 4))
