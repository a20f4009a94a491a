"""The benchmark of variants: what it takes from a store, what is made of its figures, and the table on the page."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.harness.results import make_result, write_result
from benchmarks.measures.variants import Contestant, contestants_of, summarized
from benchmarks.variants_table import render
from loadtest.report.wording import MISSING
from model_store.errors import StoreError
from model_store.manifest import Artifact, Manifest, Quality, Technique, write_manifest

ENGINES = ("onnxruntime", "openvino")
PER_S = {
    "dense@onnxruntime": (10.0, 20.0),
    "int8@onnxruntime": (40.0, 40.0),
    "dense@transformers": (5.0, 4.0),
}


def variant(model: Path, name: str, correct: int, *backends: str) -> Path:
    """A variant that says of itself what it is, and has no files."""
    quality = Quality(dataset="sst2", split="dev", metric="accuracy", value=correct / 872, correct=correct, n=872)
    one = Artifact(file="model.onnx", layout="packed", precision="fp32", sha256={}, bytes=90_900_000, quality=quality)
    manifest = Manifest(
        model=model.name,
        variant=name,
        task_settings={"labels": ["negative", "positive"]},
        technique=Technique(recipe=name),
        max_tokens=128,
        artifacts=dict.fromkeys(backends, one),
        parameters=22_700_000,
        nonzero=22_600_000,
    )
    (model / name).mkdir(parents=True)
    write_manifest(manifest, model / name)
    return model / name


@pytest.fixture
def model(tmp_path: Path) -> Path:
    variant(tmp_path / "sst2", "dense", 785, "onnxruntime", "torch")
    variant(tmp_path / "sst2", "int8", 780, "onnxruntime", "openvino")
    variant(tmp_path / "other", "dense", 785, "openvino")
    return tmp_path / "sst2"


def contestants(model: Path) -> list[Contestant]:
    return [one for one in contestants_of(model, ENGINES) if one.name in PER_S]


def taken() -> list[dict[str, object]]:
    return [
        {"round": number, "candidate": name, "texts_per_s": values[number]}
        for number in (1, 0)
        for name, values in PER_S.items()
    ]


def test_the_variants_of_one_model_take_part_on_the_engines_asked_for_and_the_baseline(model: Path) -> None:
    found = [one.name for one in contestants_of(model, ENGINES)]
    assert found == ["dense@onnxruntime", "dense@transformers", "int8@onnxruntime", "int8@openvino"]


def test_the_baseline_takes_the_artifact_of_torch_and_takes_part_once(model: Path) -> None:
    found = [one for one in contestants_of(model, ("torch", "transformers")) if one.backend == "transformers"]
    assert [one.name for one in found] == ["dense@transformers"]
    assert summarized(found, taken())["dense@transformers"]["bytes"] == 90_900_000


def test_without_anything_to_compare_with_it_says_what_to_build(model: Path) -> None:
    variant(model.parent / "alone", "int8", 700, "onnxruntime")
    with pytest.raises(StoreError, match="'alone' has no variant 'dense' for any of onnxruntime, openvino; build it"):
        contestants_of(model.parent / "alone", ENGINES)


def test_ratios_are_of_one_round_and_one_engine(model: Path) -> None:
    one = summarized(contestants(model), taken())["int8@onnxruntime"]
    assert (one["times_dense"].least, one["times_dense"].most) == (2.0, 4.0)
    assert (one["times_baseline"].least, one["times_baseline"].most) == (8.0, 10.0)
    assert (one["quality"]["correct"], one["recipe"]) == (780, "int8")


def test_the_page_has_the_figures_and_keeps_what_people_wrote(model: Path, tmp_path: Path) -> None:
    settings = {"cores": 2}
    result = make_result("variants", settings, taken(), summarized(contestants(model), taken()))
    write_result(msgspec.structs.replace(result, command="python -m benchmarks variants"), tmp_path / "results")
    page = render("# Variants\n\n<!-- measured -->\nold\n<!-- /measured -->\nWritten by hand.\n", tmp_path / "results")
    assert "| int8@onnxruntime | 89.45 | 0.57 | 90.9 | 22.6 M | 3.00 (2.00-4.00) | 9.00 (8.00-10.00) |" in page
    assert f"| dense@transformers | 90.02 | {MISSING} | 90.9 | 22.6 M | 1.00 (1.00-1.00) | 1.00 (1.00-1.00) |" in page
    assert page.startswith("# Variants\n\n<!-- measured -->\n")
    assert page.endswith("<!-- /measured -->\nWritten by hand.\n")
    assert "old" not in page
