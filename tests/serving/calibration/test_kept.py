"""What was measured at a worker's start counts at the next one, unless something that it depends on is another."""

from pathlib import Path

import msgspec
import pytest

from handlers.inferred import manifest_of
from serving.calibration.kept import Calibration, calibration_key, keep_calibration, kept_calibration
from serving.cpu_plan import StreamSplit
from serving.wire.cost import Cost
from serving.worker import loading
from serving.worker.start import load_variant

SPLITS = (StreamSplit(1, 1),)
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_second_load_measures_nothing_and_checks_the_golden_inputs(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, told = load_variant(dense, "onnxruntime", SPLITS, 128, keeps_calibration=True)
    first.handler.close()
    monkeypatch.setattr(loading, "load_fastest", None)
    checked = []
    monkeypatch.setattr("handlers.handler.check_golden", lambda *told: checked.append(told))
    second, again = load_variant(dense, "onnxruntime", SPLITS, 128, keeps_calibration=True)
    assert (again.cost, again.call_tokens, again.streams) == (told.cost, told.call_tokens, told.streams)
    assert len(checked) == len(manifest_of(dense).golden) > 0
    second.handler.close()


def test_another_version_of_the_engine_is_measured_anew(dense: Path) -> None:
    key = calibration_key(manifest_of(dense), "onnxruntime", SPLITS, 128, ())
    assert key is not None
    strange = Cost(base_s=7.0)
    keep_calibration(key, Calibration(SPLITS[0], strange, 64, "0.0.1"))
    loaded, ready = load_variant(dense, "onnxruntime", SPLITS, 128, keeps_calibration=True)
    loaded.handler.close()
    assert ready.cost != strange
    kept = kept_calibration(key)
    assert kept is not None
    assert (kept.cost, kept.engine_version) == (ready.cost, loaded.handler.session_info.version)  # type: ignore[union-attr]


def test_a_key_is_of_the_artifact_the_engine_and_the_cores(dense: Path) -> None:
    manifest = manifest_of(dense)
    longer = msgspec.structs.replace(manifest, token_lengths=[7, 9])
    keys = {
        calibration_key(manifest, "onnxruntime", SPLITS, 128, ()),
        calibration_key(manifest, "openvino", SPLITS, 128, ()),
        calibration_key(manifest, "onnxruntime", (*SPLITS, StreamSplit(2, 1)), 128, ()),
        calibration_key(manifest, "onnxruntime", SPLITS, 256, ()),
        calibration_key(manifest, "onnxruntime", SPLITS, 128, (0,)),
        calibration_key(longer, "onnxruntime", SPLITS, 128, ()),
    }
    assert len(keys) == 6
    assert calibration_key(manifest, "python", SPLITS, 128, ()) is None


def test_what_cannot_be_read_or_written_is_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_calibration("none") is None
    keep_calibration("broken", Calibration(SPLITS[0], Cost(), 64, "1"))
    (tmp_path / "cache" / "paretoserve" / "calibrations" / "broken").write_text("{")
    assert kept_calibration("broken") is None
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    keep_calibration("nowhere", Calibration(SPLITS[0], Cost(), 64, "1"))
    assert kept_calibration("nowhere") is None
