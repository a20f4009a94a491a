"""Runs as they are: a real server of a tiny variant, real users, and both of them killed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from loadtest.campaign import REQUESTS_FILE, CampaignEvent
from loadtest.generator.events import LevelDone
from loadtest.results.request_log import append_rows
from loadtest.results.slo import Slo
from model_store.errors import ParetoServeError
from paretoserve.campaigns import measure as measuring
from paretoserve.campaigns.course import Course, begun
from paretoserve.campaigns.measure import Measured, Task, cpu_per_1000, measure, sentence
from paretoserve.campaigns.plan import Place
from paretoserve.campaigns.serving import serving
from paretoserve.campaigns.settings import Comparison, Load
from paretoserve.candidates.candidate import Candidate, parse_candidate
from paretoserve.hosts.endpoint import Served
from paretoserve.terminal.scene import Scene
from paretoserve.terminal.watch import Watch
from tests.loadtest.examples import row

pytestmark = pytest.mark.timeout(120)

LOAD = Load(
    (2, 4),
    think_time_s=0.02,
    min_dwell_s=0.6,
    max_dwell_s=1.2,
    ramp_s=0.2,
    settle_s=0.1,
    exact_levels=True,
    rate_s=1.0,
    probe_s=0.5,
)


@dataclass
class Witness(Watch):
    """Sees all events, and may do something about them."""

    act: Callable[[CampaignEvent], None] = lambda event: None
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(Scene(""), Console(quiet=True))

    def do(self, what: str, part: float = 0.0) -> None:
        self.steps.append(what)

    def see(self, event: CampaignEvent) -> None:
        self.act(event)


@pytest.fixture
def candidate(tiny_store: Path) -> Candidate:
    return parse_candidate(f"{tiny_store / 'tiny' / 'dense'}@onnxruntime")


def run(
    candidate: Candidate, data: Path, out: Path, watch: Watch, load: Load = LOAD, quality: bool = False
) -> Measured:
    course: Course = begun(Comparison([candidate], str(data), out, load), watch)
    task = Task(Place(0, 1, candidate.name), candidate, out / "run", 40.0, asks_quality=quality)
    return measure(task, course.comparison, course.split, course.bodies, watch)


def test_a_run_has_quality_levels_the_common_rate_and_what_it_cost(
    candidate: Candidate, tiny_data: Path, tmp_path: Path
) -> None:
    watch = Witness()
    measured = run(candidate, tiny_data, tmp_path, watch, quality=True)
    assert measured.run.failure == ""
    assert (measured.run.block, measured.run.place) == (0, 1)
    assert [level.users for level in measured.run.levels] == [2, 4]
    assert all(level.ok > 0 for level in measured.run.levels)
    at_rate = measured.run.common_rate
    assert at_rate is not None
    assert (at_rate.at, at_rate.ok > 0) == (40.0, True)
    assert measured.run.cpu_s_per_1000 is not None
    assert 0 < measured.run.cpu_s_per_1000 < 1000
    assert measured.run.steal_share is not None
    assert 0 <= measured.run.steal_share <= 1
    assert measured.quality is not None
    assert len(measured.quality.right) == -(-(measured.quality.n or 0) // 4)
    assert (measured.facts.precision, (measured.facts.engine or "").split()[0]) == ("fp32", "onnxruntime")
    assert (tmp_path / "run" / "server.log").exists()
    assert "accuracy over HTTP" in watch.steps


def test_a_run_within_an_objective_has_rates_too(candidate: Candidate, tiny_data: Path, tmp_path: Path) -> None:
    load = replace(LOAD, levels=(2,), slo=Slo(95, 500), max_visits=2)
    measured = run(candidate, tiny_data, tmp_path, Witness(), load)
    assert measured.run.failure == ""
    assert [level.at for level in measured.run.rates] == [40.0, 80.0]


def test_a_server_that_is_killed_leaves_the_levels_until_then(
    candidate: Candidate, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers: list[Served] = []

    @contextmanager
    def remembered(*given: Any) -> Iterator[Served]:
        with serving(*given) as server:
            servers.append(server)
            yield server

    monkeypatch.setattr(measuring, "serving", remembered)

    def kill(event: CampaignEvent) -> None:
        if isinstance(event, LevelDone):
            server = psutil.Process(servers[0].pid)
            server.kill()
            server.wait(10)

    measured = run(candidate, tiny_data, tmp_path, Witness(kill))
    assert measured.run.failure == "The server ended while it was loaded; see its log, server.log."
    assert [level.users for level in measured.run.levels] == [2]


def test_a_load_generator_that_is_killed_leaves_the_levels_until_then(
    candidate: Candidate, tiny_data: Path, tmp_path: Path
) -> None:
    def kill(event: CampaignEvent) -> None:
        if isinstance(event, LevelDone):
            for child in psutil.Process().children():
                if "locust" in child.cmdline():
                    child.kill()

    measured = run(candidate, tiny_data, tmp_path, Witness(kill))
    assert measured.run.failure.startswith("The load generator ended with exit code -9")
    assert [level.users for level in measured.run.levels] == [2]


def test_a_candidate_that_cannot_start_says_why(candidate: Candidate, tiny_data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(candidate.folder, tmp_path / "damaged"))
    for file in folder.rglob("*.onnx"):
        file.write_bytes(b"no model")
    measured = run(parse_candidate(f"{folder}@onnxruntime"), tiny_data, tmp_path, Witness())
    assert "build the variant again" in measured.run.failure
    assert (measured.run.levels, measured.run.threshold) == ((), None)


def test_an_error_becomes_its_first_words_and_the_last_of_its_log() -> None:
    error = ParetoServeError("The server ended; the end of server.log:\nTraceback\n  File x\nOSError: no memory\n")
    assert sentence(error) == "The server ended; the end of server.log: OSError: no memory"
    assert sentence(ParetoServeError("One line.")) == "One line."
    assert sentence(ConnectionResetError()) == "ConnectionResetError"


def test_processor_time_is_per_thousand_answers_measured_or_not(tmp_path: Path) -> None:
    rows = [(True, row(1.0)), (False, row(2.0)), (True, row(3.0, outcome="rejected")), (True, row(4.0, outcome="ok"))]
    append_rows(tmp_path / REQUESTS_FILE, 0, 40.0, rows)
    assert cpu_per_1000(3.5, 5.0, tmp_path / REQUESTS_FILE) == pytest.approx(500.0)


def test_processor_time_that_cannot_be_seen_is_not_known(tmp_path: Path) -> None:
    append_rows(tmp_path / REQUESTS_FILE, 0, 40.0, [(True, row(1.0))])
    assert cpu_per_1000(None, None, tmp_path / REQUESTS_FILE) is None
    assert cpu_per_1000(3.5, None, tmp_path / REQUESTS_FILE) is None


def test_no_answer_has_no_cost(tmp_path: Path) -> None:
    append_rows(tmp_path / REQUESTS_FILE, 0, 40.0, [(True, row(1.0, outcome="timeout"))])
    assert cpu_per_1000(3.5, 5.0, tmp_path / REQUESTS_FILE) is None
