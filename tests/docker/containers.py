"""Containers of the images that `docker/` describes, run by whatever engine answers the docker command."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from handlers.backends import catalogue as backends
from tests.serving.front_server import until

ROOT = Path(__file__).parents[2]
# An image for each environment, of which it has the name. Each is also the name of a backend that it runs.
BACKENDS = tuple(dict.fromkeys(one.environment for one in backends.BACKENDS.values() if one.environment))
# As Docker mounts it where nothing is said; other engines let what lies there be executed.
TMP = "/tmp:rw,noexec,nosuid"  # noqa: S108
HARDENED = ("--read-only", "--tmpfs", TMP, "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
ANYBODY = ("--user", "12345:54321")


def docker(*arguments: str) -> str:
    """What a command of docker prints, on both of its outputs."""
    done = subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout}"
    return done.stdout.strip()


def need_engine() -> None:
    """Skip the test where no container engine can be had."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command on the PATH")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the docker command reaches no container engine")


@dataclass(frozen=True, slots=True)
class Container:
    id: str
    backend: str
    http: httpx.Client

    @property
    def log(self) -> str:
        return docker("logs", self.id)

    @property
    def exit_code(self) -> int:
        return int(docker("inspect", "--format", "{{.State.ExitCode}}", self.id))

    @property
    def runs(self) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", self.id) == "true"

    def is_ready(self) -> bool:
        assert self.runs, self.log
        try:
            return self.http.get("/ping").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, text: str) -> httpx.Response:
        return self.http.post("/invocations", json={"inputs": text})

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        docker("stop", "-t", "30", self.id)
        return self.exit_code


@contextmanager
def container(backend: str, folder: Path, *options: str, port: int = 8080, wait: bool = True) -> Iterator[Container]:
    """One that serves what lies in `folder`, as `docker run IMAGE serve` starts it; ready, unless told not to wait."""
    mount = f"type=bind,source={folder},target=/opt/ml/model,readonly"
    run = ("run", "--detach", "--publish", f"127.0.0.1::{port}", "--mount", mount)
    started = docker(*run, *options, f"paretoserve:{backend}", "serve").splitlines()[-1]
    try:
        address = docker("port", started, str(port)).splitlines()[0]
        with httpx.Client(base_url=f"http://{address}", timeout=30) as http:
            one = Container(started, backend, http)
            if wait:
                until(one.is_ready)
            yield one
    finally:
        docker("rm", "--force", started)


def build_images(*names: str) -> None:
    """`docker build` as the README has it; `$DOCKER_BUILD` is for what an engine needs further."""
    for name in names:
        options = os.environ.get("DOCKER_BUILD", "").split()
        docker("build", *options, "-f", str(ROOT / f"docker/Dockerfile.{name}"), "-t", f"paretoserve:{name}", str(ROOT))
