import json
import sys
from pathlib import Path

import pytest

from benchmarks.harness.results import Spread, make_result, ratios, spread, write_result


def test_a_result_tells_everything_that_is_needed_to_judge_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "peers", "--only", "a b", "--out", "/home/somebody/store/sst2"])
    result = make_result("peers", {"clients": 16}, [{"x": 1.0}], {"ratio": spread([1.0])}, packages=("numpy",))
    path = write_result(result, tmp_path / "deep")
    assert path == tmp_path / "deep" / "peers.json"
    written = json.loads(path.read_text())
    assert set(written) == {
        *("name", "command", "created", "machine", "versions", "settings", "rounds", "summary"),
    }
    assert written["command"] == "python -m benchmarks peers --only 'a b' --out store/sst2"
    assert written["machine"]["Processor"]
    assert set(written["versions"]) == {"numpy"}
    assert written["settings"] == {"clients": 16}
    assert written["rounds"] == [{"x": 1.0}]
    assert written["summary"] == {"ratio": {"median": 1.0, "least": 1.0, "most": 1.0}}
    assert [file.name for file in path.parent.iterdir()] == ["peers.json"]


def test_a_spread_is_the_median_and_the_extremes() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_ratios_are_taken_within_a_round() -> None:
    assert ratios([10.0, 30.0], [5.0, 10.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])
