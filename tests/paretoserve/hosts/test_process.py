import os
import shutil
from pathlib import Path

import httpx
import psutil
import pytest

from model_store.errors import ParetoServeError
from paretoserve.hosts.endpoint import describe_variants, is_ready
from paretoserve.hosts.process import running_server, served_by_process
from tests.handlers.variants import write_code


def test_a_server_is_ready_inside_the_block_and_gone_after_it(tiny_store: Path, tmp_path: Path) -> None:
    variant = f"{tiny_store / 'tiny' / 'dense'}@onnxruntime"
    with running_server([variant], tmp_path / "server.log") as url:
        assert is_ready(url)
        (described,) = describe_variants(url)
        assert (described["name"], described["backend"]) == ("dense", "onnxruntime")
        server = next(p for p in psutil.Process().children() if "serve" in p.cmdline())
        workers = server.children()
        assert workers
    assert not is_ready(url)
    assert not server.is_running()
    assert not any(worker.is_running() for worker in workers)


def test_a_variant_that_cannot_be_served_is_told_at_once_with_its_reason(tiny_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_store / "tiny" / "dense", folder)
    with (folder / "model.onnx").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff\xff\xff\xff")
    with (
        pytest.raises(ParetoServeError, match=r"'model.onnx' .* is damaged"),
        running_server([f"{folder}@onnxruntime"], tmp_path / "server.log"),
    ):
        pytest.fail("it must not become ready")


def test_a_server_that_ends_before_it_listens_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ParetoServeError, match="no folder 'no-such-folder'"),
        running_server(["no-such-folder"], tmp_path / "server.log"),
    ):
        pytest.fail("it must not become ready")


def test_options_reach_the_server(tiny_store: Path, tmp_path: Path) -> None:
    variant = f"{tiny_store / 'tiny' / 'dense'}@torch"
    with running_server([variant], tmp_path / "server.log", ["--queue-deadline", "0.75"]) as url:
        (described,) = describe_variants(url)
    assert described["queue_deadline_s"] == 0.75


def test_a_server_runs_on_its_cores_and_who_started_it_on_all_of_its_own(tiny_store: Path, tmp_path: Path) -> None:
    variant, before = f"{tiny_store / 'tiny' / 'dense'}@onnxruntime", os.sched_getaffinity(0)
    last = max(before)
    with served_by_process([variant], tmp_path / "server.log", cores=[last]) as server:
        (worker,) = psutil.Process(server.pid).children()
        assert {*psutil.Process(server.pid).cpu_affinity(), *worker.cpu_affinity()} == {last}
        assert os.sched_getaffinity(0) == before


def test_nothing_of_ours_runs_while_a_server_is_started_so_that_no_ctrl_c_is_lost(
    tiny_store: Path, tmp_path: Path
) -> None:
    forks: list[int] = []
    os.register_at_fork(after_in_parent=lambda: forks.append(1))
    variant = f"{tiny_store / 'tiny' / 'dense'}@onnxruntime"
    with served_by_process([variant], tmp_path / "server.log", cores=[max(os.sched_getaffinity(0))]):
        assert not forks


CHATTY = """
import os

def model_fn(model_dir): pass

def predict_fn(data, model):
    print("a line of talk\\n" * 20_000)
    if data["inputs"] == "end":
        os.kill(os.getppid(), 9)
    return data
"""


def test_a_server_whose_code_prints_all_the_time_is_never_held_up(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "chatty", CHATTY)
    with running_server([str(folder)], tmp_path / "server.log") as url:
        answers = [httpx.post(f"{url}/invocations", json={"inputs": "x"}, timeout=30).status_code for _ in range(5)]
    assert answers == [200] * 5


def test_what_a_server_printed_last_is_told_where_it_does_not_get_ready(tmp_path: Path) -> None:
    folder = write_code(
        tmp_path / "printing", "import os\nprint('so', 'it goes', flush=True)\nos.kill(os.getppid(), 9)\n"
    )
    with (
        pytest.raises(ParetoServeError, match=r"(?s)The server ended; .*what it printed:.*so it goes"),
        running_server([str(folder)], tmp_path / "server.log"),
    ):
        pytest.fail("it must not become ready")
