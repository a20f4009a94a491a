"""A server in a container of its own, with stated limits, for as long as a campaign needs it."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from handlers.backends.catalogue import BACKENDS
from loadtest.processes import interrupts_deferred
from model_store.errors import EnvironmentUnavailable, ParetoServeError
from paretoserve.candidates.candidate import Candidate
from paretoserve.hosts.endpoint import Served, url_only, wait_until_ready
from paretoserve.hosts.process import STOP_S, why_not_ready

MODEL = "/opt/ml/model"
PORT = "8080/tcp"


@dataclass(frozen=True, slots=True)
class Limits:
    """What each container is given, as docker writes it: `cpus` is a quota in cores, `memory` e.g. `2g`."""

    cpus: float | None = None
    memory: str | None = None

    def __str__(self) -> str:
        cpus = "no CPU quota" if self.cpus is None else f"a CPU quota of {self.cpus:g}"
        return f"{cpus}, {'no limit of memory' if self.memory is None else f'{self.memory} of memory'}"

    def options(self) -> list[str]:
        cpus = [] if self.cpus is None else ["--cpus", f"{self.cpus:g}"]
        return cpus + ([] if self.memory is None else ["--memory", self.memory])


def limits_told(host: str, cpus: float | None, memory: str | None) -> Limits | None:
    """The limits of containers; None where candidates run in processes, which have none."""
    if host == "docker":
        return Limits(cpus, memory)
    if cpus is not None or memory is not None:
        raise ParetoServeError("--cpus and --memory are limits of containers; give --with docker, too.")
    return None


def image_of(backend: str) -> str:
    """The image that runs a backend.

    Raises:
        EnvironmentUnavailable: none does, as for a model of the user's own code.
    """
    if backend not in BACKENDS or (engine := BACKENDS[backend].environment) is None:
        raise EnvironmentUnavailable(f"There is no image for backend {backend!r}; compare it without --with docker.")
    return f"paretoserve:{engine}"


def image_id(backend: str) -> str:
    """What the image that runs a backend was built from, by the short form of its digest.

    Raises:
        EnvironmentUnavailable: it was not built, or there is no Docker.
    """
    image = image_of(backend)
    try:
        return docker("image", "inspect", "--format", "{{.Id}}", image).removeprefix("sha256:")[:12]
    except EnvironmentUnavailable:
        raise
    except ParetoServeError as exc:
        file = f"docker/Dockerfile.{image.partition(':')[2]}"
        raise EnvironmentUnavailable(
            f"There is no image {image}; in a clone of the project run: docker build -f {file} -t {image} ."
        ) from exc


@contextmanager
def served_by_container(
    candidate: Candidate,
    log_file: Path,
    options: Sequence[str],
    cores: Sequence[int],
    limits: Limits,
    ready_timeout_s: float = 300.0,
) -> Iterator[Served]:
    """Serve `candidate` in a container on a free port of loopback; yields once it is ready, ends it after.

    It runs as whoever runs this, on `cores`, with nothing writable but `/tmp`.

    Raises:
        EnvironmentUnavailable: there is no Docker, or no image for the backend.
        ParetoServeError: it ended, or was not ready in time; the message carries the end of its log.
    """
    image_id(candidate.backend)
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with interrupts_deferred():
            container = docker(*_run(candidate, options, cores, limits))
            stack.callback(_end, container, log_file)
        url = f"http://{docker('port', container, PORT).splitlines()[0]}"
        if not wait_until_ready(url, lambda: _runs(container), ready_timeout_s):
            runs = _runs(container)
            _save_log(container, log_file)
            raise ParetoServeError(why_not_ready(runs, ready_timeout_s, log_file))
        yield Served(url, first_process(container), lambda: _runs(container))


running_container = url_only(served_by_container)


def _run(candidate: Candidate, options: Sequence[str], cores: Sequence[int], limits: Limits) -> list[str]:
    return [
        *("run", "--detach", "--label", "paretoserve.compare", "--publish", f"127.0.0.1::{PORT}"),
        *("--mount", f"type=bind,source={candidate.folder.resolve()},target={MODEL},readonly"),
        *("--user", f"{os.getuid()}:{os.getgid()}", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108  the container's
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--cpuset-cpus", ",".join(map(str, cores)), *limits.options()),
        *(image_of(candidate.backend), "serve", f"{MODEL}@{candidate.backend}", *options),
    ]


def _end(container: str, log_file: Path) -> None:
    try:
        docker("stop", "-t", f"{STOP_S:.0f}", container)
        _save_log(container, log_file)
    finally:
        docker("rm", "--force", container)


def docker(*arguments: str) -> str:
    """What a command of docker prints.

    Raises:
        EnvironmentUnavailable: there is no such program, or it reaches no engine.
        ParetoServeError: it failed; the message is the last of its own.
    """
    try:
        # In a session of its own: a Ctrl-C in the terminal is for us, who then end the container.
        done = subprocess.run(  # noqa: S603
            ["docker", *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
    except OSError as exc:
        raise EnvironmentUnavailable("There is no docker on the PATH; install it, or leave out --with docker.") from exc
    if done.returncode == 0:
        return done.stdout.strip()
    said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
    if "Cannot connect" in done.stderr:
        raise EnvironmentUnavailable(f"Docker does not run: {said}")
    raise ParetoServeError(f"docker {arguments[0]} failed, and said: {said}")


def first_process(container: str, proc: Path = Path("/proc")) -> int | None:
    """As this machine numbers it; None where the engine runs on another one, which may be a virtual one of its own."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", container)
    try:
        groups = (proc / pid / "cgroup").read_text()
    except OSError:
        return None
    # That number may be somebody else's here.
    return int(pid) if container in groups else None


def _runs(container: str) -> bool:
    return docker("inspect", "--format", "{{.State.Running}}", container) == "true"


def _save_log(container: str, log_file: Path) -> None:
    with log_file.open("wb") as log:
        subprocess.run(["docker", "logs", container], stdout=log, stderr=log, check=False)  # noqa: S603, S607
