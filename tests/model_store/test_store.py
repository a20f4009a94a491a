import os
import subprocess
import sys
from pathlib import Path

import pytest

from handlers.inferred import inferred_manifest, manifest_of
from model_store.errors import StoreError, UnknownVariant, UnsupportedCheckpoint
from model_store.manifest import Manifest, Technique, write_manifest
from model_store.store import find_variant, list_variants, staging, variant_dirs
from tests.tiny import tiny_checkpoint


def add_variant(store: Path, model: str, variant: str) -> Path:
    folder = store / model / variant
    folder.mkdir(parents=True)
    technique = Technique(recipe="dense")
    write_manifest(
        Manifest(model=model, variant=variant, technique=technique, task_settings={"labels": ["a"]}, max_tokens=8),
        folder,
    )
    return folder


def add_code(folder: Path) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "inference.py").write_text("def model_fn(model_dir): ...\n")
    return folder


def test_variants_of_all_models_are_listed_in_order(tmp_path: Path) -> None:
    added = [add_variant(tmp_path, *names) for names in (("b", "int8"), ("a", "sparse"), ("a", "dense"))]
    (tmp_path / "a" / "notes").mkdir()
    (tmp_path / "README.md").write_text("")
    add_variant(tmp_path, "a", ".int8.unfinished")
    assert variant_dirs(tmp_path) == sorted(added)
    assert [(m.model, m.variant) for _, m in list_variants(tmp_path)] == [
        ("a", "dense"),
        ("a", "sparse"),
        ("b", "int8"),
    ]


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store 'absent'"):
        variant_dirs(tmp_path / "absent")


def test_an_unknown_variant_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    dense = add_variant(tmp_path, "sst2", "dense")
    add_variant(tmp_path, "sst2", "int8")
    assert find_variant(tmp_path / "sst2", "dense") == dense
    for name in ("sparse", "../sst2/dense", ""):
        with pytest.raises(UnknownVariant, match=r"choose one of dense, int8\."):
            find_variant(tmp_path / "sst2", name)


def test_a_model_without_variants_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnknownVariant, match=r"\(none\)"):
        find_variant(tmp_path / "absent", "dense")


def test_a_staged_variant_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "sst2" / "dense"
    with staging(target) as folder:
        (folder / "model.onnx").write_bytes(b"new")
        assert not target.exists()
        assert folder.stat().st_dev == target.parent.stat().st_dev
    assert (target / "model.onnx").read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


def test_a_staged_variant_replaces_the_older_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "dense"
    target.mkdir()
    (target / "stale").write_bytes(b"old")
    with staging(target) as folder:
        (folder / "model.onnx").write_bytes(b"new")
        assert (target / "stale").exists()
    assert [path.name for path in target.iterdir()] == ["model.onnx"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failed_build_leaves_the_older_variant_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "dense"
    target.mkdir()
    (target / "model.onnx").write_bytes(b"old")

    def build() -> None:
        with staging(target) as folder:
            (folder / "model.onnx").write_bytes(b"half")
            raise failure

    with pytest.raises(failure):
        build()
    assert (target / "model.onnx").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


WRITES = """
import sys, pathlib
from model_store.store import staging

with staging(pathlib.Path(sys.argv[1])) as folder:
    (folder / "model.onnx").write_bytes(b"half")
    print(folder.name, flush=True)
    sys.stdin.readline()
"""


def writing(target: Path) -> "subprocess.Popen[str]":
    """A process in the midst of writing a variant."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", WRITES, target], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(".dense.")
    return process


@pytest.mark.timeout(60)
def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_the_variant(tmp_path: Path) -> None:
    other = tmp_path / f".dense-2.{32 * 'a'}"
    other.mkdir()
    with writing(tmp_path / "dense") as process:
        process.kill()
    assert len(list(tmp_path.iterdir())) == 2
    with staging(tmp_path / "dense"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"dense", other.name}, "another variant's is not ours to judge"


@pytest.mark.timeout(60)
def test_what_a_living_process_is_writing_stays(tmp_path: Path) -> None:
    with writing(tmp_path / "dense") as process:
        with staging(tmp_path / "dense") as folder:
            (folder / "model.onnx").write_bytes(b"ours")
        assert len(list(tmp_path.iterdir())) == 2
        process.communicate("go on\n")
        assert process.returncode == 0
    assert (tmp_path / "dense" / "model.onnx").read_bytes() == b"half", "the last one counts"
    assert list(tmp_path.iterdir()) == [tmp_path / "dense"]


def test_a_kill_between_the_two_renames_loses_no_variant(tmp_path: Path) -> None:
    older = tmp_path / f".dense.{32 * '0'}.older"
    older.mkdir()
    (older / "model.onnx").write_bytes(b"old")
    (tmp_path / f".dense.{32 * '0'}").mkdir()
    with pytest.raises(RuntimeError), staging(tmp_path / "dense"):
        raise RuntimeError
    assert (tmp_path / "dense" / "model.onnx").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "dense"]


def test_a_plain_checkpoint_is_served_with_torch(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "my-model", labels=("no", "yes", "perhaps"))
    manifest = manifest_of(folder)
    assert (manifest.variant, manifest.max_tokens) == ("my-model", 64)
    assert manifest.task_settings == {"labels": ["no", "yes", "perhaps"]}
    artifact = manifest.artifacts["torch"]
    assert (artifact.file, artifact.layout, artifact.precision, artifact.sha256) == (
        "model.safetensors",
        "packed",
        "fp32",
        {},
    )


def test_a_manifest_goes_before_what_the_files_say(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "m" / "dense")
    technique = Technique(recipe="dense")
    write_manifest(
        Manifest(model="m", variant="named", technique=technique, task_settings={"labels": ["a"]}, max_tokens=8), folder
    )
    assert manifest_of(folder).variant == "named"


def test_a_folder_with_code_only_needs_no_artifact(tmp_path: Path) -> None:
    manifest = inferred_manifest(add_code(tmp_path / "mine"))
    assert (manifest.variant, manifest.task_settings, manifest.artifacts) == ("mine", {"labels": []}, {})


def test_code_may_load_an_architecture_that_we_cannot(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path)
    (folder / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(UnsupportedCheckpoint, match="roberta"):
        inferred_manifest(folder)
    assert inferred_manifest(add_code(folder)).artifacts == {}


def test_anything_else_is_refused_with_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"variant\.json.*model\.safetensors.*code/inference\.py"):
        inferred_manifest(tmp_path)


def test_reading_a_store_needs_no_engine() -> None:
    heavy = {"torch", "onnx", "onnxruntime", "openvino", "nncf", "datasets", "huggingface_hub", "numpy"}
    program = (
        "import sys, recipes.data.checkpoint, recipes.data.rows, model_store.manifest, model_store.store;"
        f"print(*sorted({heavy} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_files_are_for_all_who_may_read_the_folder(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with staging(tmp_path / "variant") as folder:
            (folder / "model.bin").touch(0o600)
            (folder / "code").mkdir()
            (folder / "code" / "inference.py").touch(0o600)
    finally:
        os.umask(before)
    for file in ("model.bin", "code/inference.py"):
        assert (tmp_path / "variant" / file).stat().st_mode & 0o777 == mode
