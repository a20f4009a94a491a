import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from model_store.errors import UnsupportedCheckpoint
from networks.checkpoint import load_checkpoint
from networks.config import read_shape
from tests.tiny import tiny_checkpoint, tiny_shape


def edit_config(checkpoint: Path, **changes: Any) -> None:
    path = checkpoint / "config.json"
    raw = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not None}))


def test_unequal_layers_come_back_as_they_were(tmp_path: Path) -> None:
    shape = tiny_shape(labels=("a", "b", "c"), heads=(1, 2), units=(5, 64))
    assert read_shape(tiny_checkpoint(tmp_path, shape=shape)) == shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "roberta"}, "model_type = 'roberta'; only these architectures are read: bert"),
        ({"hidden_act": "relu"}, "hidden_act = 'relu'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"vocab_size": None}, "lacks 'vocab_size'"),
        ({"vocab_size": 99}, "not those of a fine-tuned bert classifier"),
    ],
)
def test_what_this_network_does_not_compute_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    edit_config(tiny_checkpoint(tmp_path), **changes)
    with pytest.raises(UnsupportedCheckpoint, match=message):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "has no config.json"),
        ("config.json", b"{", "is not JSON"),
        ("model.safetensors", None, "has no model.safetensors; save it again"),
        ("model.safetensors", b"not safetensors", "cannot be read"),
    ],
)
def test_missing_and_broken_files_are_named(tmp_path: Path, file: str, content: bytes | None, message: str) -> None:
    path = tiny_checkpoint(tmp_path) / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnsupportedCheckpoint, match=message):
        load_checkpoint(tmp_path)


def test_weights_of_an_encoder_without_classifier_are_refused(tmp_path: Path) -> None:
    weights = tiny_checkpoint(tmp_path) / "model.safetensors"
    save_file({k: v for k, v in load_file(weights).items() if not k.startswith("classifier")}, weights)
    with pytest.raises(UnsupportedCheckpoint, match="not those of a fine-tuned bert classifier"):
        load_checkpoint(tmp_path)


def test_a_configuration_is_read_without_torch(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path)
    code = (
        "import sys, pathlib, networks.config;"
        f"assert networks.config.read_shape(pathlib.Path({str(checkpoint)!r})).layers == 2;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
