"""From a checkpoint to a report by the commands a person would type: real server, real Locust, real engines."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import TEXTS, tiny_checkpoint


def paretoserve(*arguments: str) -> str:
    command = [sys.executable, "-m", "paretoserve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_build_then_compare_gives_a_report_that_a_person_can_open(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    data = tmp_path / "data" / "dev.tsv"
    data.parent.mkdir()
    rows = "sentence\tlabel\n" + "".join(f"{text}\t{i % 2}\n" for i, (text, _) in enumerate(TEXTS * 4))
    for split in (data, data.with_name("train.tsv")):
        split.write_text(rows)
    store, out = tmp_path / "store", tmp_path / "run"

    built = paretoserve(
        *("build", "--checkpoint", str(checkpoint), "--data", str(data.parent)),
        *("--recipe", "dense", "--recipe", "int8", "--store", str(store)),
        *("--backend", "onnxruntime", "--backend", "openvino"),
    )
    assert built.count("int8") >= 2

    printed = paretoserve(
        *("compare", "--store", str(store / "tiny"), "--candidates", "dense@onnxruntime,int8@openvino"),
        *("--data", str(data), "--quick", "--users", "1,4", "--exact-levels", "--dwell", "2", "--out", str(out)),
    )
    assert str(out / "report.html") in printed.replace("\n", "")

    report = json.loads((out / "report.json").read_text())
    for candidate in report["candidates"]:
        manifest = json.loads((store / "tiny" / candidate["variant"] / "variant.json").read_text())
        quality = manifest["artifacts"][candidate["backend"]]["quality"]
        assert candidate["quality"]["value"] == quality["value"], "served quality is the manifest's"
        (run,) = candidate["runs"]
        assert [level["at"] for level in run["levels"]] == [1, 4]
        for level in (*run["levels"], run["common_rate"]):
            assert level["ok"] == level["attempts"] > 0
            assert level["phases_ms"]["queue"] >= 0, "the server's own timings are in the answers"

    page = (out / "report.html").read_text()
    assert all(name in page for name in ("dense@onnxruntime", "int8@openvino"))
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", page), "the page loads nothing from a network"
    for chart in ("response-time", "unserved-share", "throughput"):
        assert list((out / "charts").glob(f"{chart}*.svg")), chart
        assert list((out / "charts").glob(f"{chart}*.png")), chart

    (out / "report.html").unlink()
    again = paretoserve("report", str(out))
    assert (out / "report.html").read_text() == page
    assert all(name in again for name in ("dense@onnxruntime", "int8@openvino"))
