from dataclasses import replace
from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console

from loadtest.results.comparison import Difference as Against
from model_store.manifest import Difference, read_manifest, write_manifest
from paretoserve.terminal.result_tables import further_table, report_tables, sizes_table, variants_table
from tests.handlers.variants import copy_of
from tests.loadtest.examples import two_candidates


def cells(table: object) -> list[list[str]]:
    return [list(column.cells) for column in table.columns]  # type: ignore[attr-defined]


def test_a_report_is_a_row_per_candidate_and_a_verdict() -> None:
    (table,), verdict = report_tables(two_candidates())
    assert cells(table)[0] == ["dense@torch", "int8@openvino"]
    assert "dense@torch throttles at 52 users" in verdict


def test_variants_have_a_row_per_artifact_with_its_quality_under_the_name_of_the_metric(
    tiny_store: Path, tmp_path: Path
) -> None:
    folder = copy_of(tiny_store / "tiny" / "dense", tmp_path / "dense")
    manifest = read_manifest(folder)
    artifacts = dict(manifest.artifacts)
    name, artifact = next(iter(artifacts.items()))
    assert artifact.quality is not None
    quality = msgspec.structs.replace(
        artifact.quality,
        value=0.75,
        correct=3,
        n=4,
        dataset="words",
        split="dev",
        interval=(0.301, 0.954),
        against_dense=Difference(value=-0.25, interval=(-0.6, 0.2), p=0.5, agreement=0.5),
    )
    artifacts[name] = msgspec.structs.replace(artifact, quality=quality)
    write_manifest(msgspec.structs.replace(manifest, artifacts=artifacts), folder)
    table = variants_table([folder])
    assert table.columns[4].header == "accuracy (95%)"
    assert cells(table)[1] == list(artifacts)
    row = ["75.00% (30.1..95.4)", "-25.00 (-60.0..+20.0)", "0.5", "50.0%"]
    assert [column[0] for column in cells(table)[4:]] == row
    assert [column[1] for column in cells(table)[5:]] == ["\N{EN DASH}"] * 3


def test_variants_have_a_row_each_with_their_sizes(tiny_store: Path) -> None:
    folder = tiny_store / "tiny" / "dense"
    manifest = read_manifest(folder)
    table = sizes_table([folder])
    assert [column[0] for column in cells(table)] == [
        "tiny/dense",
        f"{manifest.parameters:,}",
        f"{manifest.nonzero:,}",
        f"{manifest.macs_per_token:,}",
        f"{manifest.seconds:,.0f}",
        cells(table)[5][0],
    ]
    assert cells(table)[5][0].startswith("6 rows of data-")
    assert cells(table)[5][0].endswith("/dev")


def test_other_measures_are_a_table_of_their_own(tiny_store: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_store / "tiny" / "dense", tmp_path / "dense")
    manifest = read_manifest(folder)
    measured = {
        backend: artifact.quality.further for backend, artifact in manifest.artifacts.items() if artifact.quality
    }
    assert all(further.keys() == {"Matthews correlation"} for further in measured.values())
    table = further_table([folder])
    assert cells(table)[1] == list(measured)
    assert cells(table)[2] == [f"{further['Matthews correlation']:.3g}" for further in measured.values()]
    without = {
        backend: msgspec.structs.replace(one, quality=one.quality and msgspec.structs.replace(one.quality, further={}))
        for backend, one in manifest.artifacts.items()
    }
    write_manifest(msgspec.structs.replace(manifest, artifacts=without), folder)
    assert further_table([folder]) is None


def test_variants_are_readable_in_120_columns(tiny_store: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_store / "tiny" / "dense", tmp_path / "long")
    manifest = msgspec.structs.replace(read_manifest(folder), model="sst2-minilm", variant="layers-3-sparse-70-int8")
    write_manifest(manifest, folder)
    narrow = Console(width=120, file=StringIO())
    with narrow.capture() as shown:
        narrow.print(variants_table([folder]))
    for words in ("sst2-minilm/layers-3-sparse-70-int8", "onnxruntime", "precision", "(95%)"):
        assert words in shown.get()
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown.get(), "a word was cut"


def test_what_compared_variants_are_is_a_second_table() -> None:
    dense, int8 = two_candidates().candidates
    assert int8.quality is not None
    further = {"Matthews correlation": 0.8123}
    against = Difference(value=-0.0046, interval=(-0.012, 0.003), p=0.0004, agreement=0.985)
    known = replace(
        int8,
        quality=replace(
            int8.quality,
            interval=(0.88, 0.92),
            against_dense=msgspec.convert(against, Against, from_attributes=True),
            further=further,
        ),
        parameters=22_713_986,
        nonzero=5_000_000,
        macs_per_token=10_616_832,
        made_in_s=81.26,
    )
    (_, table), _ = report_tables(replace(two_candidates(), candidates=(dense, known)))
    assert [column[1] for column in cells(table)] == [
        "int8@openvino",
        "90.00% (88.0..92.0)",
        "0.812",
        "-0.46 (-1.2..+0.3)",
        "< 0.001",
        "98.5%",
        "22,713,986",
        "5,000,000",
        "10,616,832",
        "81",
    ]
