"""Variants as TorchServe takes them: what is in an archive, and a TorchServe that serves one as the page says."""

import hashlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from docs.generate import DOCS
from model_store.errors import DamagedArtifact, ParetoServeError
from model_store.manifest import MANIFEST_FILE, read_manifest
from paretoserve.builds.package import package_for_torchserve
from paretoserve.candidates.candidate import parse_candidate
from tests.handlers.variants import copy_of, opened, write_code
from tests.serving.front_server import until
from tests.shown import ask, blocks, body_shape, exchanges
from tests.torchserve import torchserve_python

PAGE = DOCS / "torchserve.md"
ARTIFACT = {"config.json", "model.safetensors", "tokenizer.json"}
ADDED = {"MAR-INF/MANIFEST.json", "handler.py", "paretoserve.json", MANIFEST_FILE}


def package(variant: Path | str, out: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(
        package_for_torchserve(parse_candidate(str(variant), unless_named="torchserve"), out).archive
    )


def test_an_archive_holds_one_artifact_with_its_tokenizer_manifest_and_handler(
    tiny_store: Path, tmp_path: Path
) -> None:
    dense = tiny_store / "tiny" / "dense"
    with package(dense, tmp_path / "dense.mar") as archive:
        assert set(archive.namelist()) == ARTIFACT | ADDED
        assert archive.read("model.safetensors") == (dense / "model.safetensors").read_bytes()
        manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
        assert set(json.loads(archive.read(MANIFEST_FILE))["artifacts"]) == {"torch"}
    assert manifest["model"] == {"modelName": "dense", "handler": "handler.py", "modelVersion": "1.0"}
    assert manifest["archiverVersion"] == "0.12.0"


def test_the_same_variant_gives_the_same_bytes(tiny_store: Path, tmp_path: Path) -> None:
    original = tiny_store / "tiny" / "dense"
    later = copy_of(original, tmp_path / "copy" / "dense")
    for file in later.iterdir():
        os.utime(file, (2e9, 2e9))
        file.chmod(0o600)
    archives = [tmp_path / name / "dense.mar" for name in ("one", "two")]
    for variant, out in zip((original, later), archives, strict=True):
        package(variant, out).close()
    first, second = (out.read_bytes() for out in archives)
    assert first == second


def test_the_users_code_goes_along_and_rubbish_does_not(tiny_store: Path, tmp_path: Path) -> None:
    variant = write_code(copy_of(tiny_store / "tiny" / "dense", tmp_path / "mine"), "")
    for rubbish in ("code/__pycache__/inference.pyc", "code/.notes", "notes.txt"):
        (variant / rubbish).parent.mkdir(exist_ok=True)
        (variant / rubbish).touch()
    with package(variant, tmp_path / "mine.mar") as archive:
        assert set(archive.namelist()) == ARTIFACT | ADDED | {"code/inference.py"}


def test_code_and_artifact_of_an_archive_are_hashed_and_loaded_only_as_they_were(
    tiny_store: Path, tmp_path: Path
) -> None:
    code = "def predict_fn(data, model): return 'mine'"
    # A checkpoint without a manifest has no hashes of its own.
    variant = write_code(copy_of(tiny_store / "tiny" / "dense", tmp_path / "mine"), code)
    for file in (MANIFEST_FILE, "model.onnx"):
        (variant / file).unlink()
    with package(variant, tmp_path / "mine.mar") as archive:
        archive.extractall(tmp_path / "there")
    manifest = read_manifest(tmp_path / "there")
    assert manifest.code == {"code/inference.py": hashlib.sha256(code.encode()).hexdigest()}
    assert manifest.artifacts["torch"].sha256.keys() == ARTIFACT
    assert opened(tmp_path / "there", "torch").user.predict_fn is not None
    (tmp_path / "there" / "code" / "json.py").write_text("")
    with pytest.raises(DamagedArtifact, match=r"no SHA-256 of 'code/json\.py'"):
        opened(tmp_path / "there", "torch")


def test_of_a_users_own_model_all_files_go_along(tmp_path: Path) -> None:
    variant = write_code(tmp_path / "mine", "def model_fn(folder): return len")
    (variant / "weights.bin").write_bytes(b"w")
    with package(variant, tmp_path / "mine.mar") as archive:
        assert set(archive.namelist()) == ADDED | {"code/inference.py", "weights.bin"}


def test_what_is_unpacked_can_be_loaded_on_the_engine_that_was_named(tiny_store: Path, tmp_path: Path) -> None:
    with package(f"{tiny_store / 'tiny' / 'dense'}@onnxruntime", tmp_path / "dense.mar") as archive:
        assert json.loads(archive.read("paretoserve.json"))["backend"] == "onnxruntime"
        archive.extractall(tmp_path / "unpacked")
    assert opened(tmp_path / "unpacked").session_info is not None


def test_what_cannot_be_packaged_is_told_and_leaves_nothing(tiny_store: Path, tmp_path: Path) -> None:
    variant = copy_of(tiny_store / "tiny" / "dense", tmp_path / "dense")
    with pytest.raises(ParetoServeError, match=r"ends in \.mar; give --out .*dense\.mar"):
        package(variant, tmp_path / "out" / "dense.zip")
    (variant / "model.safetensors").write_bytes(b"")
    with pytest.raises(DamagedArtifact):
        package(variant, tmp_path / "out" / "dense.mar")
    named_oddly = write_code(tmp_path / "a name", "def model_fn(folder): return len")
    with pytest.raises(ParetoServeError, match="rename variant 'a name'"):
        package(named_oddly, tmp_path / "out" / "mine.mar")
    assert not (tmp_path / "out").exists()


def test_torchserve_runs_the_torch_artifact_of_a_variant_and_nothing_else(tiny_store: Path, tmp_path: Path) -> None:
    candidate = parse_candidate("dense@torchserve", tiny_store / "tiny")
    assert candidate.name == "dense@torchserve"
    variant = copy_of(candidate.folder, tmp_path / "dense")
    without_torch = json.loads((variant / MANIFEST_FILE).read_bytes())
    del without_torch["artifacts"]["torch"]
    (variant / MANIFEST_FILE).write_text(json.dumps(without_torch))
    with pytest.raises(ParetoServeError, match="no artifact for 'torchserve'"):
        parse_candidate(f"{variant}@torchserve")


def test_a_server_is_short_for_the_backend_of_variants_that_name_none(tiny_store: Path) -> None:
    dense = tiny_store / "tiny" / "dense"
    parsed = [parse_candidate(text, unless_named="torchserve") for text in (f"{dense}", f"{dense}@openvino")]
    assert [candidate.backend for candidate in parsed] == ["torchserve", "openvino"]


# As the page says


def on_free_ports(settings: Path) -> str:
    """Put other ports into the settings, since those on the page may be taken; the address to ask."""
    text, free = settings.read_text(), {}
    for port in (8080, 8081, 8082, 7070, 7071):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            free[port] = listener.getsockname()[1]
        text, count = re.subn(rf"([=:]){port}$", rf"\g<1>{free[port]}", text, flags=re.MULTILINE)
        assert count == 1
    settings.write_text(text)
    return f"http://127.0.0.1:{free[8080]}"


@contextmanager
def started_as_on_the_page(folder: Path) -> Iterator[None]:
    """TorchServe, with its log and all else in `folder`."""
    shell = "".join(block.text for block in blocks(PAGE) if block.language == "sh")
    command = next(line for line in shell.splitlines() if line.startswith("torchserve "))
    path = f"{torchserve_python().parent}{os.pathsep}{os.environ['PATH']}"
    (folder / "tmp").mkdir()
    env = {**os.environ, "PATH": path, "TEMP": str(folder / "tmp"), "TMPDIR": str(folder / "tmp")}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            shlex.split(command), cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_answered(url: str) -> bool:
    try:
        return httpx.post(f"{url}/predictions/dense", json={"inputs": "great"}, timeout=60).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_the_archive_is_served_as_the_page_says(tiny_store: Path, tmp_path: Path) -> None:
    package(tiny_store / "tiny" / "dense", tmp_path / "dense.mar").close()
    url = on_free_ports(tmp_path / "config.properties")
    with started_as_on_the_page(tmp_path):
        until(lambda: is_answered(url))
        (exchange,) = exchanges(PAGE)
        assert body_shape(ask(url, exchange.words).body) == body_shape(exchange.answer)
        refused = httpx.post(f"{url}/predictions/dense", content=b"{", headers={"content-type": "application/json"})
        assert (refused.status_code, refused.json()["type"]) == (400, "BadInput")
