import os
import subprocess
import sys
from pathlib import Path

import pytest

from handlers.backends.base import ArtifactFile, Placement
from handlers.backends.onnxruntime import OnnxRuntimeSession, open_session
from model_store.manifest import read_manifest
from tests.conftest import BuiltOnce
from tests.handlers.variants import shared_tiny

ROOT = Path(__file__).parents[3]

OPENING = """
import sys
from pathlib import Path
from handlers.backends.catalogue import open_session
from handlers.backends.base import ArtifactFile, Placement
open_session("onnxruntime", ArtifactFile(Path(sys.argv[1]), "fp32"), Placement())
"""


@pytest.mark.timeout(120)
def test_it_keeps_no_record_of_its_use_for_its_makers(built_once: BuiltOnce, tmp_path: Path) -> None:
    folder = shared_tiny(built_once, "dense", "onnxruntime")
    artifact = folder / read_manifest(folder).artifacts["onnxruntime"].file
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    # Where continuous integration runs, it would keep none anyway.
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "XDG_CACHE_HOME")}
    subprocess.run(
        [sys.executable, "-c", OPENING, artifact],
        cwd=ROOT,
        env={**kept, "HOME": str(home), "TMPDIR": str(temporary), "ORT_DISABLE_TELEMETRY": "0"},
        check=True,
    )
    assert [*home.iterdir(), *temporary.iterdir()] == []


def test_it_keeps_nothing_for_each_shape_of_inputs_that_it_meets(built_once: BuiltOnce) -> None:
    folder = shared_tiny(built_once, "dense", "onnxruntime")
    artifact = folder / read_manifest(folder).artifacts["onnxruntime"].file
    session = open_session(ArtifactFile(artifact, "fp32"), Placement())
    assert isinstance(session, OnnxRuntimeSession)
    assert not session.options.enable_mem_pattern
