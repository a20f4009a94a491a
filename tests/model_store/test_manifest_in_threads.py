"""Variants may be loaded at the same time in one process."""

import subprocess
import sys
from pathlib import Path

from model_store.manifest import Artifact, Manifest, Technique, write_manifest

# Each time in a fresh process: what goes wrong goes wrong at the first read.
READ = """
import sys, threading
from pathlib import Path
sys.setswitchinterval(1e-6)
from model_store.manifest import read_manifest
together = threading.Barrier(4)
def read():
    together.wait()
    read_manifest(Path(sys.argv[1]))
threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_the_first_manifests_of_a_process_can_be_read_in_several_threads_at_once(tmp_path: Path) -> None:
    artifact = Artifact(file="model.onnx", layout="packed", precision="fp32", sha256={}, bytes=1)
    technique = Technique(recipe="toy")
    write_manifest(
        Manifest(
            model="m",
            variant="v",
            technique=technique,
            task_settings={"labels": ["a"]},
            max_tokens=8,
            artifacts={"onnxruntime": artifact},
        ),
        tmp_path,
    )
    for _ in range(20):
        subprocess.run([sys.executable, "-c", READ, str(tmp_path)], check=True)
