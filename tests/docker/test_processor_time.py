"""What a campaign takes for the processor time of a container is what the kernel counted for it."""

from pathlib import Path

import httpx
import pytest

from paretoserve.candidates.candidate import parse_candidate
from paretoserve.hosts.container import Limits, served_by_container
from paretoserve.hosts.usage import processor_seconds
from tests.docker.containers import need_engine
from tests.handlers.variants import build_tiny

pytestmark = [pytest.mark.images, pytest.mark.timeout(300)]


def test_the_processor_time_of_a_container_is_that_of_its_control_group(tmp_path: Path) -> None:
    need_engine()
    (built,) = build_tiny(tmp_path, "dense", backends=("onnxruntime",))
    candidate = parse_candidate(f"{built}@onnxruntime")
    with served_by_container(candidate, tmp_path / "server.log", (), (0,), Limits()) as server:
        assert server.pid is not None
        ours_s, kernels_s = processor_seconds(server.pid), group_seconds(server.pid)
        assert ours_s
        with httpx.Client(base_url=server.url) as client:
            while group_seconds(server.pid) < kernels_s + 2.0:
                assert client.post("/invocations", json={"inputs": "a text"}).status_code == 200
        used_s = (processor_seconds(server.pid) or 0.0) - ours_s
        assert used_s == pytest.approx(group_seconds(server.pid) - kernels_s, rel=0.1)
    assert processor_seconds(server.pid) is None


def group_seconds(pid: int) -> float:
    """What the kernel has counted for the group of a process, by whichever version of control groups there is."""
    lines = (line.split(":") for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    paths = {names: path.lstrip("/") for _, names, path in lines}
    (counted,) = [names for names in paths if "cpuacct" in names.split(",")] or [""]
    if counted:
        return int((Path("/sys/fs/cgroup/cpuacct") / paths[counted] / "cpuacct.usage").read_text()) / 1e9
    stat = (Path("/sys/fs/cgroup") / paths[""] / "cpu.stat").read_text().split()
    return int(stat[stat.index("usage_usec") + 1]) / 1e6
