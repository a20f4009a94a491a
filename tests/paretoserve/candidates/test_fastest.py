from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from handlers.backends.processor import processor
from model_store.errors import BackendError
from model_store.manifest import Artifact, Manifest, Speed, Technique, read_manifest, write_manifest
from paretoserve.candidates import fastest as choosing
from paretoserve.candidates.candidate import parse_candidate
from paretoserve.candidates.fastest import built_speeds, fastest, fastest_backend
from tests.exported import exported
from tests.tiny import tiny_checkpoint

ENGINES = ("openvino", "onnxruntime", "torch")
HERE = str(processor())


def artifact(speed: Speed | None = None) -> Artifact:
    return Artifact(file="model", layout="packed", precision="int8", sha256={"model": "0"}, bytes=1, speed=speed)


def manifest(speeds: dict[str, Speed | None]) -> Manifest:
    artifacts = {name: artifact(speed) for name, speed in speeds.items()}
    technique = Technique(recipe="int8")
    return Manifest(
        model="m",
        variant="int8",
        technique=technique,
        task_settings={"labels": ["a"]},
        max_tokens=8,
        artifacts=artifacts,
    )


def measuring(speeds: dict[str, float], asked: list[str]) -> Callable[[str], float]:
    def measure(backend: str) -> float:
        asked.append(backend)
        return speeds[backend]

    return measure


# The choice


def test_the_fastest_is_chosen_and_nothing_measured_where_all_are_known() -> None:
    asked: list[str] = []
    said: list[str] = []
    known = {"openvino": 100.0, "onnxruntime": 300.0, "torch": 200.0}
    assert fastest("int8", ENGINES, known, measuring({}, asked), said.append) == "onnxruntime"
    assert (asked, said) == ([], [])


def test_what_is_not_known_is_measured_and_told_with_the_choice() -> None:
    asked: list[str] = []
    said: list[str] = []
    measure = measuring({"onnxruntime": 9000.0, "torch": 0.0}, asked)
    assert fastest("int8", ENGINES, {"openvino": 1234.0}, measure, said.append) == "onnxruntime"
    assert asked == ["onnxruntime", "torch"]
    assert said[-1] == "Measured openvino 1,234, onnxruntime 9,000 tokens/s; serving int8 on onnxruntime"


def test_of_engines_that_are_equal_or_all_fail_the_first_is_taken() -> None:
    said: list[str] = []
    assert fastest("v", ENGINES, dict.fromkeys(ENGINES, 5.0), measuring({}, []), said.append) == "openvino"
    assert fastest("v", ENGINES, {}, measuring(dict.fromkeys(ENGINES, 0.0), []), said.append) == "openvino"
    assert said[-1] == "Measured none tokens/s; serving v on openvino"


def test_a_speed_counts_on_the_processor_that_it_was_measured_on() -> None:
    artifacts = {
        "openvino": artifact(Speed(tokens_per_s=5, processor="here")),
        "onnxruntime": artifact(Speed(tokens_per_s=7, processor="elsewhere")),
        "torch": artifact(),
    }
    assert built_speeds(artifacts, "here") == {"openvino": 5}


# What is handed to it


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which backends were measured; onnxruntime is the fastest, and torch fails."""
    asked: list[str] = []

    def measured_speed(backend: str, *arguments: object) -> Speed:
        asked.append(backend)
        assert arguments[-1] == choosing.LIMIT_S
        if backend == "torch":
            raise BackendError("torch was not measured within 10 s.")
        return Speed(tokens_per_s={"openvino": 10.0, "onnxruntime": 20.0}[backend], processor=HERE)

    monkeypatch.setattr("paretoserve.measuring.speed.measured_speed", measured_speed)
    return asked


def test_a_variant_that_was_built_on_this_processor_is_not_measured_again(measured: list[str], tmp_path: Path) -> None:
    told = manifest({name: Speed(tokens_per_s=i, processor=HERE) for i, name in enumerate(ENGINES)})
    assert fastest_backend(told, tmp_path, ENGINES, pytest.fail) == "torch"
    assert measured == []


def test_one_engine_needs_no_measuring(measured: list[str], tmp_path: Path) -> None:
    assert fastest_backend(manifest({"torch": None}), tmp_path, ["torch"], pytest.fail) == "torch"
    assert measured == []


def test_elsewhere_engines_are_measured_once_and_those_that_fail_are_told_of(
    measured: list[str], tmp_path: Path
) -> None:
    built = manifest({name: Speed(tokens_per_s=i, processor="another") for i, name in enumerate(ENGINES)})
    said: list[str] = []
    assert fastest_backend(built, tmp_path, ENGINES, said.append) == "onnxruntime"
    assert measured == [*ENGINES]
    assert said[1] == "torch is left out: torch was not measured within 10 s."
    said.clear()
    assert fastest_backend(built, tmp_path, ENGINES, said.append) == "onnxruntime"
    assert measured == [*ENGINES], "the second time they are known"
    assert said == []


def test_another_version_of_an_engine_is_measured_again(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = manifest({"openvino": None, "onnxruntime": None})
    fastest_backend(two, tmp_path, ENGINES[:2], print)
    monkeypatch.setattr(choosing, "engine_version", lambda name: "99" if name == "openvino" else "1")
    fastest_backend(two, tmp_path, ENGINES[:1] + ENGINES[1:2], print)
    assert measured.count("openvino") == 2


def test_a_cache_that_cannot_be_written_is_told_of_and_not_fatal(
    measured: list[str], tmp_path: Path, caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a file"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    said: list[str] = []
    two = manifest({"openvino": None, "onnxruntime": None})
    assert fastest_backend(two, tmp_path, ENGINES[:2], said.append) == "onnxruntime"
    assert f"{file}/paretoserve/speeds cannot be written; the measured speed is kept in {caches}/temporary" in said[1]
    fastest_backend(two, tmp_path, ENGINES[:2], pytest.fail)
    monkeypatch.setattr("tempfile.tempdir", str(file))
    assert fastest_backend(two, tmp_path, ENGINES[:2], said.append) == "onnxruntime"
    assert said[-2].endswith("cannot be written; the speed will be measured again at the next start")


def test_a_cache_that_somebody_damaged_is_measured_anew(measured: list[str], tmp_path: Path, caches: Path) -> None:
    two = manifest({"openvino": None, "onnxruntime": None})
    fastest_backend(two, tmp_path, ENGINES[:2], print)
    for file in (caches / "paretoserve" / "speeds").iterdir():
        file.write_text("{")
    fastest_backend(two, tmp_path, ENGINES[:2], print)
    assert len(measured) == 4


# Real engines


@pytest.mark.timeout(120)
def test_an_export_is_served_on_the_engine_that_is_faster_here(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = exported(tiny_checkpoint(tmp_path / "checkpoint"), tmp_path / "export")
    chosen = parse_candidate(str(folder)).backend
    told = capfd.readouterr().err.replace("\n", " ")
    assert chosen in ("onnxruntime", "openvino")
    assert f"tokens/s; serving export on {chosen}" in told
    assert parse_candidate(str(folder)).backend == chosen
    assert capfd.readouterr().err == "", "the second time it is known"


def test_a_built_variant_is_served_on_the_engine_that_was_fastest_when_it_was_built(
    tiny_store: Path, tmp_path: Path
) -> None:
    built = read_manifest(tiny_store / "tiny" / "dense")
    assert {one.speed.processor for one in built.artifacts.values() if one.speed} == {HERE}
    slow = {
        name: msgspec.structs.replace(one, speed=Speed(tokens_per_s=2.0 if name == "torch" else 1.0, processor=HERE))
        for name, one in built.artifacts.items()
    }
    write_manifest(msgspec.structs.replace(built, artifacts=slow), tmp_path)
    assert parse_candidate(str(tmp_path)).backend == "torch"
