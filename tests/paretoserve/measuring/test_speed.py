import os
import stat
from pathlib import Path

import msgspec
import pytest

from handlers.backends.processor import processor
from model_store.errors import BackendError
from model_store.manifest import read_manifest
from paretoserve.measuring import speed
from paretoserve.measuring.speed import measured_speed


@pytest.mark.timeout(60)
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_an_engine_is_measured_by_a_process_of_its_own(tiny_store: Path, backend: str) -> None:
    folder = tiny_store / "tiny" / "dense"
    manifest = read_manifest(folder)
    found = measured_speed(backend, manifest.artifacts[backend], manifest, folder)
    assert found.tokens_per_s > 100
    assert found.processor == str(processor())


@pytest.mark.timeout(60)
def test_what_the_engine_says_against_an_artifact_is_what_is_raised(tiny_store: Path) -> None:
    folder = tiny_store / "tiny" / "dense"
    manifest = read_manifest(folder)
    artifact = msgspec.structs.replace(manifest.artifacts["onnxruntime"], file="tokenizer.json")
    with pytest.raises(BackendError, match=r"ONNX Runtime cannot load 'tokenizer\.json'"):
        measured_speed("onnxruntime", artifact, manifest, folder)


@pytest.mark.timeout(60)
def test_an_engine_that_takes_too_long_is_ended_with_all_that_it_started(
    tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    # Both processes hold the pipe open for as long as they run: its end is the end of both.
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    python = script(tmp_path, f"exec 3>{held}\necho started >&3\nsleep 1000 &\nwait")
    monkeypatch.setattr(speed, "interpreter_for", lambda _: python)
    folder = tiny_store / "tiny" / "dense"
    manifest = read_manifest(folder)
    with pytest.raises(BackendError, match="onnxruntime was not measured within 1 s"):
        measured_speed("onnxruntime", manifest.artifacts["onnxruntime"], manifest, folder, limit_s=1.0)
    os.set_blocking(reader, True)
    with os.fdopen(reader) as pipe:
        assert pipe.read() == "started\n"


def test_an_engine_that_ends_its_process_is_told_of(
    tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = script(tmp_path, "echo Illegal instruction. >&2\nexit 132")
    monkeypatch.setattr(speed, "interpreter_for", lambda _: python)
    folder = tiny_store / "tiny" / "dense"
    manifest = read_manifest(folder)
    with pytest.raises(BackendError, match="speed of onnxruntime ended with 132: Illegal instruction"):
        measured_speed("onnxruntime", manifest.artifacts["onnxruntime"], manifest, folder)


def script(folder: Path, lines: str) -> str:
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{lines}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)
