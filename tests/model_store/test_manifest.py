import json
from pathlib import Path

import msgspec
import pytest

from model_store.errors import DamagedArtifact, UnsupportedManifest
from model_store.manifest import (
    MANIFEST_FILE,
    Artifact,
    GoldenInput,
    Manifest,
    Quality,
    Technique,
    contained,
    described,
    read_manifest,
    sha256_of,
    write_manifest,
)


def artifact_in(folder: Path) -> Artifact:
    (folder / "model.xml").write_bytes(b"graph")
    (folder / "model.bin").write_bytes(b"weights")
    hashes = {name: sha256_of(folder / name) for name in ("model.xml", "model.bin")}
    return Artifact(file="model.xml", layout="packed", precision="fp32", sha256=hashes, bytes=12)


def manifest_with(artifact: Artifact) -> Manifest:
    return Manifest(
        model="sst2",
        variant="dense",
        technique=Technique(recipe="dense", parameters={"seed": 0}),
        task_settings={"labels": ["negative", "positive"]},
        max_tokens=128,
        artifacts={"openvino": artifact},
        golden=[GoldenInput("good"), GoldenInput("a", "b")],
    )


def test_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    quality = Quality(dataset="sst2", split="dev", metric="accuracy", value=0.9, correct=9, n=10)
    artifact = Artifact(
        file="m.onnx",
        layout="packed",
        precision="int8",
        sha256={},
        bytes=1,
        golden_logits=[[0.1, -2.5]],
        quality=quality,
    )
    write_manifest(manifest_with(artifact), tmp_path)
    assert read_manifest(tmp_path) == manifest_with(artifact)
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST_FILE]


def test_a_quality_may_have_further_measures_and_one_written_without_them_has_none(tmp_path: Path) -> None:
    quality = Quality(dataset="cola", split="dev", metric="accuracy", value=0.8, n=10, further={"Matthews": 0.5})
    artifact = Artifact(file="m.onnx", layout="packed", precision="fp32", sha256={}, bytes=1, quality=quality)
    write_manifest(manifest_with(artifact), tmp_path)
    assert read_manifest(tmp_path) == manifest_with(artifact)
    content = json.loads((tmp_path / MANIFEST_FILE).read_text())
    del content["artifacts"]["openvino"]["quality"]["further"]
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(content))
    read = read_manifest(tmp_path).artifacts["openvino"].quality
    assert read == msgspec.structs.replace(quality, further={})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": 3, "novelty": 1}', "has schema 3.*upgrade"),
        ('{"schema": "1"}', "has schema '1'"),
        ("{}", "has schema None"),
        ('{"schema": 1}', "is not a manifest.*build the variant again"),
        ("[1]", "is not a manifest"),
        ("{", "is not a manifest"),
    ],
)
def test_what_is_no_manifest_of_ours_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / MANIFEST_FILE).write_text(content)
    with pytest.raises(UnsupportedManifest, match=message):
        read_manifest(tmp_path)


def test_a_manifest_of_schema_1_is_read_with_its_labels_as_settings_of_its_task(tmp_path: Path) -> None:
    raw = {
        "schema": 1,
        "model": "sst2",
        "variant": "int8",
        "task": "text-classification",
        "technique": {"recipe": "int8", "parameters": {}},
        "parent": None,
        "labels": ["negative", "positive"],
        "max_tokens": 128,
        "artifacts": {},
        "parameters": 10,
        "nonzero": 10,
        "golden": [{"text": "good"}],
    }
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(raw))
    manifest = read_manifest(tmp_path)
    assert (manifest.schema, manifest.task) == (2, "text-classification")
    assert manifest.task_settings == {"labels": ["negative", "positive"]}
    write_manifest(manifest, tmp_path)
    assert read_manifest(tmp_path) == manifest


def test_readers_are_shown_the_settings_of_the_task_among_the_other_fields(tmp_path: Path) -> None:
    shown = described(manifest_with(artifact_in(tmp_path)))
    assert (shown["labels"], shown["task"]) == (["negative", "positive"], "text-classification")
    assert "task_settings" not in shown


@pytest.mark.parametrize("file", ["../outside", "/etc/hostname", "inner/../../outside", "link"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, file: str) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    folder = tmp_path / "variant"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(DamagedArtifact, match="lies outside"):
        contained(folder, file)
