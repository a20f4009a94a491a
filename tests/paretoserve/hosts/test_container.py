"""What is said where no container can be had, and what is known of one. The rest of it is in `tests/docker`."""

from pathlib import Path

import pytest

from model_store.errors import EnvironmentUnavailable, ParetoServeError
from paretoserve.candidates.candidate import parse_candidate
from paretoserve.hosts.container import (
    Limits,
    docker,
    first_process,
    image_id,
    image_of,
    limits_told,
    running_container,
)


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file whose text a docker command that always fails prints."""
    said, command = tmp_path / "said", tmp_path / "docker"
    command.write_text(f'#!/bin/sh\ncat "{said}" >&2\nexit 1\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return said


def test_without_docker_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentUnavailable, match="no docker on the PATH; install it, or leave out --with docker"):
        docker("version")


def test_a_docker_that_does_not_run_is_told(says: Path) -> None:
    says.write_text("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n")
    with pytest.raises(EnvironmentUnavailable, match="Docker does not run: Cannot connect to the Docker daemon"):
        image_id("openvino")


def test_an_image_that_was_not_built_is_named_with_the_command_that_builds_it(says: Path) -> None:
    says.write_text("Error: No such image: paretoserve:torch\n")
    with pytest.raises(
        EnvironmentUnavailable, match=r"docker build -f docker/Dockerfile\.torch -t paretoserve:torch \."
    ):
        image_id("torchscript")


def test_what_docker_itself_says_is_handed_on(says: Path) -> None:
    says.write_text("a warning\nno space left on device\n")
    with pytest.raises(ParetoServeError, match="docker run failed, and said: no space left on device"):
        docker("run", "image")


def test_nothing_is_started_without_an_image(says: Path, tiny_store: Path, tmp_path: Path) -> None:
    says.write_text("Error: No such image\n")
    candidate = parse_candidate(f"{tiny_store / 'tiny' / 'dense'}@openvino")
    log = tmp_path / "server.log"
    with (
        pytest.raises(EnvironmentUnavailable, match="no image paretoserve:openvino"),
        running_container(candidate, log, (), (0,), Limits()),
    ):
        pytest.fail("it must not be served")
    assert not log.exists()


@pytest.mark.parametrize(
    ("backend", "image"),
    [
        ("torch", "torch"),
        ("torch-compiled", "torch"),
        ("transformers-longest", "transformers"),
        ("deepsparse", "deepsparse"),
    ],
)
def test_an_image_serves_all_backends_of_its_engine(backend: str, image: str) -> None:
    assert image_of(backend) == f"paretoserve:{image}"


@pytest.mark.parametrize("backend", ["python", "torch-cuda"])
def test_a_backend_without_an_image_is_told(backend: str) -> None:
    with pytest.raises(EnvironmentUnavailable, match=f"no image for backend '{backend}'"):
        image_of(backend)


def test_limits_are_told_as_docker_takes_them() -> None:
    assert Limits().options() == []
    assert Limits(1.5, "2g").options() == ["--cpus", "1.5", "--memory", "2g"]
    assert str(Limits(1.5, "2g")) == "a CPU quota of 1.5, 2g of memory"
    assert str(Limits()) == "no CPU quota, no limit of memory"


def test_limits_want_containers() -> None:
    assert limits_told("docker", None, "1g") == Limits(memory="1g")
    assert limits_told("process", None, None) is None
    with pytest.raises(ParetoServeError, match="give --with docker"):
        limits_told("process", 1.0, None)


@pytest.fixture
def inspected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of processes, for a docker that says that a container's first one is number 71."""
    command = tmp_path / "docker"
    command.write_text("#!/bin/sh\necho 71\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "proc" / "71").mkdir(parents=True)
    return tmp_path / "proc"


def test_the_first_process_of_a_container_is_known_by_its_control_group(inspected: Path) -> None:
    (inspected / "71" / "cgroup").write_text("0::/system.slice/docker-6a772ad1c283.scope\n")
    assert first_process("6a772ad1c283", inspected) == 71


@pytest.mark.parametrize("group", ["0::/user.slice/session-1.scope\n", None], ids=["somebody else's", "nobody's"])
def test_a_number_of_another_machine_is_not_taken_for_a_process_of_this_one(inspected: Path, group: str | None) -> None:
    if group:
        (inspected / "71" / "cgroup").write_text(group)
    assert first_process("6a772ad1c283", inspected) is None
