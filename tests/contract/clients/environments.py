"""Published clients, each in an environment of its own, which is made on first use and kept in the clone.

A client's requirements, all of them with their versions, are in `NAME.txt`; what it does there is `NAME_client.py`, a
script that is given the server's address and prints one line of JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_store.errors import EnvironmentUnavailable
from paretoserve.environments.virtual_environment import Contents, environment
from tests.environments import FOLDER

HERE = Path(__file__).parent
# An environment is made in minutes where packages have to be fetched.
PATIENCE_S = 1200


def python_of(name: str) -> Path:
    """The interpreter of a client's environment; the test is skipped where that cannot be made."""
    contents = Contents(HERE / f"{name}.txt", complete=True)
    try:
        return environment(f"client-{name}", contents, FOLDER, Path(sys.executable))
    except EnvironmentUnavailable as exc:
        pytest.skip(str(exc))


def told_by(name: str, script: str, *arguments: str, **variables: str) -> Any:
    """What a script prints that runs in a client's environment, with these further environment variables."""
    command = [str(python_of(name)), str(HERE / f"{script}_client.py"), *arguments]
    done = subprocess.run(command, env=_surroundings() | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _surroundings() -> dict[str, str]:
    """Our own environment variables, less our packages and proxies: a client finds the server, and its own packages."""
    left_out = {"PYTHONPATH", "PYTHONHOME", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"}
    return {name: value for name, value in os.environ.items() if name not in left_out}
