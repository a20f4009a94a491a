"""What a worker tells of the user's own code: whether it was hashed."""

from pathlib import Path

import msgspec
import pytest

from handlers.inferred import manifest_of
from model_store.code import hashes_of, read_code
from model_store.manifest import read_manifest, write_manifest
from serving.cpu_plan import StreamSplit
from serving.worker.start import load_variant
from tests.handlers.variants import write_code


@pytest.mark.parametrize("hashed", [True, False])
def test_code_is_told_and_whether_it_was_hashed(tmp_path: Path, hashed: bool) -> None:
    folder = write_code(tmp_path / "mine", "def model_fn(folder): return len\n")
    manifest = manifest_of(folder)
    code = hashes_of(read_code(folder)) if hashed else None
    write_manifest(msgspec.structs.replace(manifest, code=code), folder)
    _, ready = load_variant(folder, "python", [StreamSplit(1, 1)], 64)
    assert ready.facts["code"] == {"hashed": hashed}


def test_a_variant_without_code_tells_of_none(dense: Path) -> None:
    _, ready = load_variant(dense, "onnxruntime", [StreamSplit(1, 1)], 64)
    assert "code" not in ready.facts


def test_a_variant_tells_what_it_computes_and_how_long_it_took_but_not_what_it_answered(dense: Path) -> None:
    _, ready = load_variant(dense, "onnxruntime", [StreamSplit(1, 1)], 64)
    manifest = read_manifest(dense)
    assert (ready.facts["macs_per_token"], ready.facts["seconds"]) == (manifest.macs_per_token, manifest.seconds)
    assert "predictions" not in ready.facts
