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
    pids = tmp_path / "pids"
    python = script(tmp_path, f"sleep 1000 &\necho $$ $! >> {pids}\nwait")
    monkeypatch.setattr(speed, "interpreter_for", lambda _: python)
    folder = tiny_store / "tiny" / "dense"
    manifest = read_manifest(folder)
    with pytest.raises(BackendError, match=r"onnxruntime was not measured within 0\.5 s"):
        measured_speed("onnxruntime", manifest.artifacts["onnxruntime"], manifest, folder, limit_s=0.5)
    assert not any(runs(int(pid)) for pid in pids.read_text().split())


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


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    os.kill(pid, 0)
    return state != "Z"
