"""TorchServe for tests: the interpreter that has it, or a skip that says what is missing."""

import shutil
from pathlib import Path

import pytest

from tests.environments import created


def torchserve_python() -> Path:
    if shutil.which("java") is None:
        pytest.skip("TorchServe needs Java 17 or later, and there is no java on the PATH")
    return created("torchserve")
