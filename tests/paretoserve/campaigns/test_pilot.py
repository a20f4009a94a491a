from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from model_store.errors import ParetoServeError
from paretoserve.campaigns import pilot
from paretoserve.campaigns.course import Course, begun
from paretoserve.campaigns.kept import KeptRate
from paretoserve.campaigns.pilot import common_rate
from paretoserve.campaigns.settings import Comparison
from paretoserve.candidates.candidate import Candidate, parse_candidate
from paretoserve.hosts.endpoint import Served
from paretoserve.terminal.scene import Scene
from paretoserve.terminal.watch import Watch

FIRST, SECOND = "dense@onnxruntime", "dense@openvino"


@dataclass(slots=True)
class Stage:
    """Which candidates were served, and the backends that cannot be."""

    names: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()

    @contextmanager
    def serving(candidate: Candidate, *_: Any) -> Iterator[Served]:
        stage.names.append(candidate.name)
        if candidate.backend in stage.broken:
            raise ParetoServeError("The server ended.")
        yield Served("http://127.0.0.1:9", 1, lambda: True)

    monkeypatch.setattr(pilot, "serving", serving)
    monkeypatch.setattr(pilot, "limit_per_s", lambda *given: (80.0, 0.01))
    return stage


Asked = Callable[..., Course]


@pytest.fixture
def course(tiny_store: Path, tiny_data: Path, tmp_path: Path) -> Asked:
    def make(names: Sequence[str] = (FIRST, SECOND), **changes: Any) -> Course:
        candidates = [parse_candidate(name, tiny_store / "tiny") for name in names]
        comparison = replace(Comparison(candidates, str(tiny_data), tmp_path / "out"), **changes)
        return begun(comparison, Watch(Scene(""), Console(quiet=True)))

    return make


def test_the_common_rate_is_half_of_what_the_first_candidate_can_do(served: Stage, course: Asked) -> None:
    assert common_rate(course()) == KeptRate(40.0, f"half of what {FIRST} answers users without think time")
    assert served.names == [FIRST]


def test_the_same_comparison_needs_no_pilot_again_and_another_load_does(served: Stage, course: Asked) -> None:
    common_rate(course())
    common_rate(course())
    assert served.names == [FIRST]
    common_rate(course(queue_deadline_s=0.3))
    assert served.names == [FIRST, FIRST]


def test_a_given_rate_needs_no_pilot(served: Stage, course: Asked) -> None:
    assert common_rate(course(common_rate_per_s=33.0)).per_s == 33.0
    assert served.names == []


def test_where_the_first_cannot_be_served_the_next_one_is_the_pilot(served: Stage, course: Asked) -> None:
    served.broken.add("onnxruntime")
    assert SECOND in common_rate(course()).origin


def test_where_none_can_be_served_that_is_the_error(served: Stage, course: Asked) -> None:
    served.broken.update(("onnxruntime", "openvino"))
    with pytest.raises(ParetoServeError, match=f"Nothing could be measured. {FIRST}: The server ended. {SECOND}"):
        common_rate(course())
