from pathlib import Path

import msgspec

from model_store.manifest import read_manifest, write_manifest
from paretoserve.terminal.result_tables import report_table, variants_table
from tests.handlers.variants import copy_of
from tests.loadtest.examples import two_candidates


def cells(table: object) -> list[list[str]]:
    return [list(column.cells) for column in table.columns]  # type: ignore[attr-defined]


def test_a_report_is_a_row_per_candidate_and_a_verdict() -> None:
    table, verdict = report_table(two_candidates())
    assert cells(table)[0] == ["dense@torch", "int8@openvino"]
    assert verdict.startswith("int8@openvino holds more than 64 users")


def test_variants_have_a_row_per_artifact_with_its_quality_under_the_name_of_the_metric(
    tiny_store: Path, tmp_path: Path
) -> None:
    folder = copy_of(tiny_store / "tiny" / "dense", tmp_path / "dense")
    manifest = read_manifest(folder)
    artifacts = dict(manifest.artifacts)
    name, artifact = next(iter(artifacts.items()))
    assert artifact.quality is not None
    quality = msgspec.structs.replace(artifact.quality, value=0.75, correct=3, n=4, dataset="words", split="dev")
    artifacts[name] = msgspec.structs.replace(artifact, quality=quality)
    write_manifest(msgspec.structs.replace(manifest, artifacts=artifacts), folder)
    table = variants_table([folder])
    assert table.columns[4].header == "accuracy"
    assert cells(table)[1] == list(artifacts)
    assert (cells(table)[4][0], cells(table)[5][0]) == ("75.00%", "3 of 4, words/dev")
