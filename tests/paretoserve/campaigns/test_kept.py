import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from loadtest.results.comparison import Run
from model_store.manifest import read_manifest, write_manifest
from paretoserve.campaigns import kept
from paretoserve.campaigns.kept import Facts, KeptRate, KeptRun, forget, keep, kept_in, run_fingerprint, what_changed
from paretoserve.campaigns.settings import Comparison, Load
from paretoserve.candidates.candidate import Candidate, parse_candidate
from tests.loadtest.examples import level


def comparison_of(candidate: Candidate, **changes: object) -> Comparison:
    return replace(Comparison((candidate,), "dev.tsv", Path("out")), **changes)  # type: ignore[arg-type]


@pytest.fixture
def candidate(tiny_store: Path, tmp_path: Path) -> Candidate:
    return parse_candidate(f"{shutil.copytree(tiny_store / 'tiny' / 'dense', tmp_path / 'dense')}@onnxruntime")


def test_a_run_is_read_as_it_was_kept(tmp_path: Path) -> None:
    run = KeptRun(Run(1, 2, "2026-01-02T03:04:05Z", (level(8), level(16, 0.5)), failure=""), Facts("onnx 1", "fp32"))
    keep(tmp_path / "new" / "result.json", {"the seed": "0"}, run)
    found = kept_in(tmp_path / "new" / "result.json", KeptRun)
    assert found is not None
    assert (found.fingerprint, found.found) == ({"the seed": "0"}, run)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["result.json"]


@pytest.mark.parametrize("content", [b"", b'{"fingerprint": {', b"[]", b'{"fingerprint": {}, "found": {"per_s": "x"}}'])
def test_a_file_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "result.json").write_bytes(content)
    assert kept_in(tmp_path / "result.json", KeptRate) is None
    assert kept_in(tmp_path / "nothing.json", KeptRate) is None


def test_starting_anew_removes_results_and_nothing_else(tmp_path: Path) -> None:
    results = ["dense@torch/block-1/result.json", "pilot/dense@torch/result.json", "dense@torch/quality.json"]
    others = ["store/result.json", "dense@torch/block-1/requests.csv.gz", "report.json"]
    for name in (*results, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    forget(tmp_path)
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*") if file.is_file()) == sorted(others)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, ["the seed"]),
        ({"queue_deadline_s": 0.2}, ["the queue deadline"]),
        ({"texts_per_request": 2}, ["the texts per request"]),
        ({"load": Load(think_time_s=1.0)}, ["the load"]),
        ({"blocks": 5, "title": "Another", "price_per_hour": 1.0}, []),
    ],
)
def test_a_run_depends_on_the_load_and_not_on_what_is_reported(
    candidate: Candidate, change: dict[str, object], words: list[str]
) -> None:
    before = run_fingerprint(candidate, comparison_of(candidate), "data", 50.0)
    after = run_fingerprint(candidate, comparison_of(candidate, **change), "data", 50.0)
    assert what_changed(before, after) == words


def test_a_run_depends_on_the_data_and_the_common_rate(candidate: Candidate) -> None:
    comparison = comparison_of(candidate)
    before = run_fingerprint(candidate, comparison, "data", 50.0)
    assert what_changed(before, run_fingerprint(candidate, comparison, "other", 50.0)) == ["the data"]
    assert what_changed(before, run_fingerprint(candidate, comparison, "data", 51.0)) == ["the common rate"]


def test_a_run_depends_on_what_its_artifact_is_hashed_to_and_not_on_what_else_is_said_of_it(
    candidate: Candidate,
) -> None:
    before = kept.artifact_digest(candidate)
    manifest = read_manifest(candidate.folder)
    told = manifest.artifacts["onnxruntime"]
    manifest.artifacts["onnxruntime"] = msgspec.structs.replace(told, quality=None)
    write_manifest(manifest, candidate.folder)
    assert kept.artifact_digest(again(candidate)) == before
    manifest.artifacts["onnxruntime"] = msgspec.structs.replace(told, sha256={told.file: "0" * 64})
    write_manifest(manifest, candidate.folder)
    assert kept.artifact_digest(again(candidate)) != before


def test_a_run_depends_on_the_tokenizer(candidate: Candidate) -> None:
    before = kept.artifact_digest(candidate)
    (candidate.folder / "tokenizer.json").write_text("{}")
    assert kept.artifact_digest(candidate) != before


def test_a_run_of_another_engine_version_is_another_one(candidate: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = comparison_of(candidate)
    before = run_fingerprint(candidate, comparison, "data", 50.0)
    monkeypatch.setattr(kept, "engine_version", lambda backend: "0.0")
    assert what_changed(before, run_fingerprint(candidate, comparison, "data", 50.0)) == ["the engine"]


def again(candidate: Candidate) -> Candidate:
    return parse_candidate(f"{candidate.folder}@{candidate.backend}")
