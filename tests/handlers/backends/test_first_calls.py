"""The first calls of several threads at once, in processes in which an engine has not been called before."""

import subprocess
import sys

import pytest

from tests.conftest import BuiltOnce
from tests.handlers.variants import shared_tiny

FILES = {"onnxruntime": "model.onnx", "openvino": "model.xml"}

# With the interpreter's lock handed on as often as can be, an engine that deadlocks does so in one process of two.
PROCESSES = 6

CALL_AT_ONCE = """
import os, sys, threading
from pathlib import Path

import numpy as np

from handlers.backends.base import ArtifactFile, Placement
from handlers.backends.catalogue import open_session
from handlers.tokens.packing import Tokens, pack

backend, file = sys.argv[1:]
session = open_session(backend, ArtifactFile(Path(file), "fp32"), Placement(streams=2))
batch = pack([[Tokens(np.full(5, 2), np.zeros(5, np.int64))]], session.info.width_step)
together = threading.Barrier(8)

def call():
    together.wait()
    session.run(batch)

threads = [threading.Thread(target=call) for _ in range(together.parties)]
sys.setswitchinterval(1e-6)
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os._exit(0)
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", FILES)
def test_the_first_calls_of_several_threads_do_not_wait_for_each_other(built_once: BuiltOnce, backend: str) -> None:
    file = shared_tiny(built_once, "dense", backend) / FILES[backend]
    for _ in range(PROCESSES):
        command = [sys.executable, "-c", CALL_AT_ONCE, backend, str(file)]
        subprocess.run(command, check=True, timeout=30)
