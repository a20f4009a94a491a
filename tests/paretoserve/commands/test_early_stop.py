"""SIGTERM before there is a server: the process ends, also where it is the first of a container."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.front_server import until

ROOT = Path(__file__).parents[3]

# Reading what is to be served takes longer than any test.
SLOW_START = """
import sys, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "paretoserve.candidates.candidate":
            time.sleep(600)

sys.meta_path.insert(0, Slow())
"""


def handles_sigterm(process: "subprocess.Popen[bytes]") -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.timeout(60)
def test_a_sigterm_while_variants_are_read_ends_the_process_with_success(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_START)
    command = [sys.executable, "-m", "paretoserve", "serve", str(tmp_path), "--port", "0"]
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with subprocess.Popen(command, cwd=ROOT, env=env) as process:
        try:
            until(lambda: handles_sigterm(process))
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        finally:
            process.kill()
