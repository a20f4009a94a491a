from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from networks.encoder.counts import encoder_parameters
from networks.encoder.prefix import SubNetwork
from recipes.steps.nas import search
from recipes.steps.nas.hypervolume import hypervolume
from recipes.steps.nas.latency import LatencyTable
from recipes.steps.nas.search import SAMPLERS, Search
from recipes.steps.nas.space import Space
from recipes.work.progress import silent
from tests.tiny import tiny_shape

SPACE = Space(tiny_shape(heads=(4,) * 4, units=(240,) * 4), drop_order=(2, 1, 3, 0))
TABLE = LatencyTable(0.001, (1, 4), (10, 240), ((1e-4, 2e-4), (2e-4, 4e-4)))


@dataclass
class Judge:
    """A sub-network's error is the less, the more it keeps of its first layers; it breaks off after some."""

    left: int = 9999
    asked: list[SubNetwork] = field(default_factory=list)

    def __call__(self, some: Sequence[SubNetwork]) -> Iterator[float]:
        for one in some:
            if not self.left:
                raise InterruptedError
            self.left -= 1
            self.asked.append(one)
            kept = sum((layer.heads / 4 + layer.units / 240) / 2 ** (layer.layer + 1) for layer in one)
            yield 0.05 + 0.45 * (1 - kept / 2) ** 2


def searching(folder: Path, judge: Judge, space: Space = SPACE) -> Search:
    return Search(folder / "studies.journal", space, judge, TABLE)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "POPULATION", 8)


def test_every_sampler_evaluates_what_was_asked_for(tmp_path: Path) -> None:
    found = searching(tmp_path, Judge()).run([3, 4], 11, silent)
    studies = [(one.sampler, one.seed, one.number) for one in found]
    assert studies == [(sampler, seed, n) for seed in (3, 4) for sampler in SAMPLERS for n in range(11)]
    for one in found:
        shape = tiny_shape(heads=one.heads, units=one.units)
        assert (one.parameters, one.latency_s) == (encoder_parameters(shape), TABLE.seconds(shape))
    assert found[0].heads == (4, 4, 4, 4), "all of it comes first"
    assert found[10].heads == (1,), "and the smallest"


@pytest.mark.parametrize("left", [3, 9, 21])
def test_a_study_that_broke_off_ends_as_one_that_did_not(tmp_path: Path, left: int) -> None:
    (tmp_path / "whole").mkdir()
    expected = searching(tmp_path / "whole", Judge()).run([1], 17, silent)
    with pytest.raises(InterruptedError):
        searching(tmp_path, Judge(left=left)).run([1], 17, silent)
    assert searching(tmp_path, judge := Judge()).run([1], 17, silent) == expected
    assert len(judge.asked) == 2 * 17 - left


def test_a_study_goes_on_from_a_journal_that_ends_in_half_a_line(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    expected = searching(tmp_path / "whole", Judge()).run([1], 17, silent)
    searching(tmp_path, Judge()).run([1], 11, silent)
    journal = tmp_path / "studies.journal"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert searching(tmp_path, Judge()).run([1], 17, silent) == expected


def test_a_proposal_that_was_broken_off_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    expected = searching(tmp_path / "whole", Judge()).run([1], 17, silent)
    searching(tmp_path, Judge()).run([1], 8, silent)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "studies.journal")))
    optuna.load_study(study_name="nsga2.1", storage=storage).ask().suggest_int("layers", 1, 4)
    assert searching(tmp_path, Judge()).run([1], 17, silent) == expected


def test_more_evaluations_go_on_where_fewer_ended(tmp_path: Path) -> None:
    fewer = searching(tmp_path, Judge()).run([1], 10, silent)
    more = searching(tmp_path, judge := Judge()).run([1], 15, silent)
    assert [one for one in more if one.number < 10] == fewer
    assert len(judge.asked) == 10
    assert searching(tmp_path, Judge(left=0)).run([1], 10, silent) == fewer


def test_nsga2_finds_a_better_front_than_random_with_as_many_evaluations(tmp_path: Path) -> None:
    space = Space(tiny_shape(heads=(8,) * 6, units=(240,) * 6), drop_order=(2, 1, 4, 3, 5, 0))
    found = searching(tmp_path, Judge(), space).run([1], 64, silent)
    whole = encoder_parameters(space.whole)

    def volume(sampler: str) -> float:
        points = [one for one in found if one.sampler == sampler]
        assert len(points) == 64
        return hypervolume([(one.error, one.parameters / whole) for one in points], (0.5, 1.0))

    assert volume("nsga2") > volume("random")
