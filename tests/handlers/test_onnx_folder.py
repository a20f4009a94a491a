"""The manifest of a folder that somebody exported a classifier to, told from its files."""

import json
from pathlib import Path
from typing import Any

import pytest

from handlers.inferred import manifest_of
from model_store.errors import StoreError, UnsupportedCheckpoint
from model_store.manifest import sha256_of
from model_store.opened import verify_artifact

ROBERTA = {"model_type": "roberta", "max_position_embeddings": 514, "id2label": {"0": "no", "1": "yes", "2": "perhaps"}}


def export(
    folder: Path, config: dict[str, Any] | str = ROBERTA, tokenizer_config: dict[str, Any] | None = None
) -> Path:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"a graph")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if tokenizer_config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    return folder


def test_an_export_is_a_padded_artifact_of_both_engines_that_read_onnx(tmp_path: Path) -> None:
    folder = export(tmp_path / "mine")
    manifest = manifest_of(folder)
    assert (manifest.variant, manifest.task, manifest.golden) == ("mine", "text-classification", [])
    assert manifest.task_settings == {"labels": ["no", "yes", "perhaps"]}
    assert list(manifest.artifacts) == ["onnxruntime", "openvino"]
    for artifact in manifest.artifacts.values():
        assert (artifact.file, artifact.layout, artifact.precision, artifact.bytes) == (
            "model.onnx",
            "padded",
            "fp32",
            7,
        )
        assert artifact.sha256 == {file: sha256_of(folder / file) for file in ("model.onnx", "tokenizer.json")}
        assert verify_artifact(artifact, folder) == folder / "model.onnx"


@pytest.mark.parametrize(
    ("config", "tokenizer", "max_tokens"),
    [
        ({"max_position_embeddings": 512}, None, 512),
        ({"max_position_embeddings": 514}, {"model_max_length": 512}, 512),
        ({"max_position_embeddings": 128}, {"model_max_length": 1000000000000000019884624838656}, 128),
        ({"max_position_embeddings": 1024}, {}, 1024),
        ({}, {"model_max_length": 256}, 256),
        ({}, None, 512),
        ({"max_position_embeddings": -1}, None, 512),
    ],
)
def test_texts_are_as_long_as_model_and_tokenizer_allow(
    tmp_path: Path, config: dict[str, Any], tokenizer: dict[str, Any] | None, max_tokens: int
) -> None:
    assert manifest_of(export(tmp_path / "mine", config, tokenizer)).max_tokens == max_tokens


def test_a_model_with_the_default_labels_leaves_them_out(tmp_path: Path) -> None:
    manifest = manifest_of(export(tmp_path / "mine", {"model_type": "bert"}))
    assert manifest.task_settings == {"labels": ["LABEL_0", "LABEL_1"]}


@pytest.mark.parametrize("operator", [b"DynamicQuantizeLinear", b"DequantizeLinear", b"MatMulInteger"])
def test_a_quantized_graph_is_not_said_to_be_fp32(tmp_path: Path, operator: bytes) -> None:
    folder = export(tmp_path / "mine")
    (folder / "model.onnx").write_bytes(b"\x00" * 100 + operator + b"\x00" * 100)
    assert manifest_of(folder).artifacts["openvino"].precision == "int8"


def test_weights_beside_the_graph_belong_to_the_artifact(tmp_path: Path) -> None:
    folder = export(tmp_path / "mine")
    (folder / "model.onnx_data").write_bytes(b"weights")
    artifact = manifest_of(folder).artifacts["onnxruntime"]
    assert artifact.bytes == 14
    assert artifact.sha256["model.onnx_data"] == sha256_of(folder / "model.onnx_data")


def test_an_empty_graph_is_left_to_the_engine_to_refuse(tmp_path: Path) -> None:
    folder = export(tmp_path / "mine")
    (folder / "model.onnx").write_bytes(b"")
    assert manifest_of(folder).artifacts["onnxruntime"].bytes == 0


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("[1]", r"config\.json of 'mine' is not a JSON object"),
        ("{", r"config\.json of 'mine' is not a JSON object"),
        ({"id2label": {"1": "yes", "2": "no"}}, "id2label that does not count its labels from 0"),
        ({"id2label": 3}, "id2label that does not count its labels from 0"),
    ],
)
def test_a_config_that_cannot_be_read_is_told(tmp_path: Path, config: dict[str, Any] | str, told: str) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=told):
        manifest_of(export(tmp_path / "mine", config))


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_a_graph_alone_is_no_export(tmp_path: Path, file: str) -> None:
    folder = export(tmp_path / "mine")
    (folder / file).unlink()
    with pytest.raises(StoreError, match=r"an ONNX export \(model\.onnx, config\.json, tokenizer\.json\)"):
        manifest_of(folder)


def test_an_export_goes_before_the_checkpoint_beside_it(tmp_path: Path) -> None:
    folder = export(tmp_path / "mine")
    (folder / "model.safetensors").write_bytes(b"")
    assert manifest_of(folder).artifacts.keys() == {"onnxruntime", "openvino"}
