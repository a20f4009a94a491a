"""What every task is held to: a tiny variant is built for it, served by a real server, asked, measured and compared."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from handlers.tasks.base import AnyTask
from handlers.tasks.catalogue import TASKS, open_task, task_for
from model_store.errors import DataError
from model_store.manifest import Artifact, Manifest, read_manifest
from model_store.rows import Row, Split
from paretoserve.builds.build import BuildRequest, build
from paretoserve.campaigns.compare import Comparison, Load, compare
from paretoserve.campaigns.quality import served_quality
from paretoserve.candidates.candidate import parse_candidate
from paretoserve.hosts.process import running_server
from recipes.data.rows import load_data
from tests.tiny import TEXTS, tiny_checkpoint

ENGINE = "onnxruntime"


@dataclass(frozen=True, slots=True)
class Case:
    """`outputs` are what the network calls its numbers, `targets` what the data says of its texts, `unreadable` what
    it may not say, `refused` a payload that no client may send."""

    task: str
    outputs: tuple[str, ...]
    targets: tuple[Any, ...]
    unreadable: Any
    refused: Any


CASES = (
    Case(
        "text-classification", ("negative", "positive"), (0, 1, "negative", "Positive", 1, "0"), "great", {"inputs": 1}
    ),
)


@dataclass(frozen=True, slots=True)
class Served:
    """A variant of the task, which a server answers for at `url`, and the data that it was measured on."""

    case: Case
    folder: Path
    data: Path
    url: str

    @property
    def manifest(self) -> Manifest:
        return read_manifest(self.folder)

    @property
    def artifact(self) -> Artifact:
        return self.manifest.artifacts[ENGINE]

    @property
    def task(self) -> AnyTask:
        return open_task(self.manifest.task, self.manifest.task_settings)

    @property
    def split(self) -> Split:
        return load_data(str(self.data), self.task.target).evaluation

    def ask(self, path: str, body: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=30.0)


pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.task)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    case, folder = request.param, tmp_path_factory.mktemp("task")
    data = write_data(folder / "dev.jsonl", case, case.targets)
    checkpoint = tiny_checkpoint(folder / "tiny", case.outputs)
    asked = BuildRequest(str(checkpoint), str(data), ("dense",), folder / "store", backends=(ENGINE,), task=case.task)
    (variant,) = build(asked)
    with running_server([f"{variant}@{ENGINE}"], folder / "server.log") as url:
        yield Served(case, variant, data, url)


def write_data(file: Path, case: Case, targets: tuple[Any, ...]) -> Path:
    column = task_for(case.task, case.outputs).target.names[0]
    rows = [{"text": text, column: target} for (text, _), target in zip(TEXTS, targets, strict=False)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_every_task_is_held_to_this() -> None:
    assert {case.task for case in CASES} == set(TASKS)


def test_the_manifest_names_the_task_and_its_quality_under_its_metric(served: Served) -> None:
    assert served.manifest.task == served.case.task
    assert served.task == task_for(served.case.task, served.case.outputs)
    quality = served.artifact.quality
    assert quality is not None
    assert (quality.metric, quality.n) == (served.task.metric, len(served.case.targets))
    assert quality.value <= 1


def test_over_http_the_quality_is_that_of_the_manifest(served: Served) -> None:
    quality = served.artifact.quality
    assert quality is not None
    measured = served_quality(served.url, served.split, served.task, lambda what, part: None)
    assert (measured.value, measured.metric, measured.n) == (quality.value, quality.metric, quality.n)


def test_a_list_of_inputs_is_answered_by_a_list_of_what_each_is_answered_alone(served: Served) -> None:
    inputs = [served.task.inputs(row) for row in served.split.rows]
    together = served.ask("/invocations", {"inputs": inputs}).raise_for_status().json()
    alone = [served.ask("/invocations", {"inputs": [one]}).raise_for_status().json()[0] for one in inputs]
    assert served.task.score(together, served.split.rows) == served.task.score(alone, served.split.rows)
    assert together == [pytest.approx(one, abs=1e-4) for one in alone]


def test_over_v2_it_is_asked_and_answered_as_its_metadata_says(served: Served) -> None:
    model = f"/v2/models/{served.manifest.variant}"
    described = httpx.get(served.url + model).raise_for_status().json()
    texts = [row.text for row in served.split.rows]
    tensors = [one | {"shape": [len(texts)], "data": texts} for one in described["inputs"][:1]]
    answer = served.ask(f"{model}/infer", {"inputs": tensors}).raise_for_status().json()
    for output, promised in zip(answer["outputs"], described["outputs"], strict=True):
        assert (output["name"], output["datatype"]) == (promised["name"], promised["datatype"])
        assert output["shape"] == [len(texts), *promised["shape"][1:]]
    assert {"name": "logits", "datatype": "FP32", "shape": [-1, served.task.width]} in described["outputs"]


def test_variants_shows_the_settings_of_the_task(served: Served) -> None:
    (shown,) = httpx.get(f"{served.url}/variants").raise_for_status().json()["variants"]
    assert shown["task"] == served.case.task
    assert served.manifest.task_settings.items() <= shown.items()
    assert shown.keys().isdisjoint({"task_settings", "v2"})


def test_what_the_task_cannot_read_is_refused_in_words(served: Served) -> None:
    refused = served.ask("/invocations", served.case.refused)
    assert (refused.status_code, refused.json()["type"]) == (400, "BadInput")


def test_data_that_the_task_cannot_read_is_refused_with_its_place(served: Served, tmp_path: Path) -> None:
    data = write_data(tmp_path / "dev.jsonl", served.case, (served.case.targets[0], served.case.unreadable))
    with pytest.raises(DataError, match=r"^Line 2 of 'dev\.jsonl' has "):
        load_data(str(data), served.task.target)


def test_targets_are_read_into_rows(served: Served) -> None:
    texts = [Row(text, None, row.target) for (text, _), row in zip(TEXTS, served.split.rows, strict=True)]
    assert list(served.split.rows) == texts


def test_a_comparison_reports_the_quality_under_its_metric(served: Served, tmp_path: Path) -> None:
    candidate = parse_candidate(f"{served.manifest.variant}@{ENGINE}", served.folder.parent)
    asked = Comparison(
        [candidate], str(served.data), tmp_path, Load((1, 2), 0.01, 1.0, 1.5, exact_levels=True), is_quick=True
    )
    (reported,) = compare(asked).candidates
    assert reported.quality is not None
    assert (reported.quality.metric, reported.quality.n) == (served.task.metric, len(served.case.targets))
    assert [level.users for level in reported.levels] == [1, 2]
    assert all(level.ok == level.attempts > 0 for level in reported.levels)
    assert served.task.metric in (tmp_path / "report.html").read_text()
