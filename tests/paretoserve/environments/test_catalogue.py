import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import handlers
import model_store
import serving
from handlers.backends.catalogue import BACKENDS
from model_store.errors import EnvironmentUnavailable
from paretoserve.candidates.candidate import USER_MODEL, parse_candidate, variant_specs
from paretoserve.environments import catalogue as environments
from paretoserve.environments.catalogue import (
    ENGINES,
    REQUIREMENTS,
    Engine,
    create_environment,
    describe_environments,
    interpreter_for,
    is_installed,
    remove_environment,
)
from paretoserve.environments.pythons import output_of
from paretoserve.hosts.endpoint import describe_variants
from paretoserve.hosts.process import running_server
from tests.environments import created, use_only

ROOT = Path(__file__).parents[3]
OURS = (handlers, model_store, serving)
PIN = re.compile(r"([\w.-]+)==(\S+)")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of environments."""
    made = tmp_path / "envs"
    made.mkdir()
    monkeypatch.setenv("PARETOSERVE_ENVS", str(made))
    return made


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks that need nothing, so that making an environment takes no network."""
    made = tmp_path / "requirements"
    made.mkdir()
    for name in ENGINES:
        (made / f"{name}.txt").write_text("# Nothing.\n")
    monkeypatch.setattr(environments, "REQUIREMENTS", made)
    return made


def pins(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    found = [PIN.fullmatch(line) for line in lines]
    assert all(found), f"{file.name} pins everything exactly"
    return {one[1]: one[2] for one in found if one}


def ask(url: str, variant: str) -> dict[str, Any]:
    target = {"X-Amzn-SageMaker-Target-Variant": variant}
    answered = httpx.post(f"{url}/invocations", json={"inputs": "a charming film"}, headers=target)
    assert answered.headers["X-Amzn-Invoked-Production-Variant"] == variant
    (label,) = answered.raise_for_status().json()
    return dict(label)


def worker_pids(url: str) -> list[int]:
    described: list[dict[str, Any]] = describe_variants(url)
    return [worker["pid"] for one in described for worker in one["workers"]]


# Which interpreter


def test_an_engine_that_our_interpreter_has_runs_there_while_it_has_no_environment(folder: Path) -> None:
    assert interpreter_for("onnxruntime") == sys.executable


def test_an_engine_that_is_nowhere_is_one_sentence_with_the_command_that_installs_it(folder: Path) -> None:
    sentence = r"^The engine of backend 'deepsparse' is not installed; run: paretoserve env create deepsparse\.$"
    with pytest.raises(EnvironmentUnavailable, match=sentence):
        interpreter_for("deepsparse")
    assert not is_installed("deepsparse")


def test_the_users_own_code_runs_in_our_interpreter(folder: Path) -> None:
    assert interpreter_for(USER_MODEL) == sys.executable


@pytest.mark.usefixtures("folder")
def test_an_environment_runs_its_backend_until_its_lock_changes_or_it_is_removed(locks: Path) -> None:
    python = create_environment("deepsparse")
    assert interpreter_for("deepsparse") == str(python)
    code = "import handlers, model_store, serving\nprint(handlers, model_store, serving)"
    seen = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    assert seen.count(str(python.parents[1])) == len(OURS), "they are found in the environment"
    for one in OURS:
        (link,) = python.parents[1].glob(f"lib/*/site-packages/{one.__name__}")
        assert link.resolve() == Path(one.__path__[0]).resolve(), "our packages are used where they lie"
    (locks / "deepsparse.txt").write_text("# Other engines.\n")
    assert not is_installed("deepsparse")
    assert remove_environment("deepsparse"), "also what was made for an earlier lock"
    assert not remove_environment("deepsparse")


def test_backends_of_one_engine_share_an_environment() -> None:
    assert BACKENDS["torchscript"].environment == BACKENDS["torch"].environment


def test_every_backend_has_an_environment_but_for_one_that_needs_another_build_of_its_engine() -> None:
    environments = {name: one.environment for name, one in BACKENDS.items()}
    assert {name for name, made in environments.items() if made is None} <= {"torch-cuda"}
    assert set(environments.values()) - {None} == set(ENGINES)


@pytest.mark.parametrize("asked", ["tensorrt", "torch-cuda", "../x"])
def test_an_environment_that_there_is_not_is_told_with_those_that_there_are(folder: Path, asked: str) -> None:
    with pytest.raises(EnvironmentUnavailable, match=rf"no environment for '{asked}'; choose from torch, .*deepsparse"):
        create_environment(asked)


def test_an_engine_that_needs_an_older_python_than_there_is_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(ENGINES, "deepsparse", Engine("deepsparse", "deepsparse", newest_python=(3, 2)))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentUnavailable, match=r"Python 3\.2 at most, and no python3\.2 was found; install"):
        create_environment("deepsparse")
    with pytest.raises(
        EnvironmentUnavailable, match=r"and the environment of 'deepsparse' needs 3\.11 and at most 3\.2"
    ):
        create_environment("deepsparse", sys.executable)


# The locks


def test_every_environment_has_a_lock_that_says_how_it_was_made() -> None:
    assert {file.stem for file in REQUIREMENTS.iterdir()} == {*ENGINES, "front"}
    for name, engine in ENGINES.items():
        file = REQUIREMENTS / f"{name}.txt"
        assert engine.package in pins(file)
        assert "# Made: " in file.read_text()


def test_locks_agree_with_each_other_and_with_our_own_environment() -> None:
    ours = pins(ROOT / "constraints.txt")
    # DeepSparse cannot do with what the others take.
    older = {"deepsparse": {"numpy", "onnx", "protobuf", "click"}}
    for name in (*ENGINES, "front"):
        for package, version in pins(REQUIREMENTS / f"{name}.txt").items():
            assert ours.get(package) in (None, version) or package in older.get(name, ()), f"{package} of {name}"
    assert pins(REQUIREMENTS / "torch.txt").items() <= pins(REQUIREMENTS / "torchserve.txt").items()


@pytest.mark.parametrize("name", ENGINES)
def test_an_image_can_hold_the_front_beside_each_engine(name: str) -> None:
    front, engine = pins(REQUIREMENTS / "front.txt"), pins(REQUIREMENTS / f"{name}.txt")
    assert {package: front[package] for package in front.keys() & engine} == {
        package: engine[package] for package in front.keys() & engine
    }


def test_locks_are_installed_with_the_package() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert data["paretoserve.environments"] == ["requirements/*.txt"]


# Real engines


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_a_created_environment_is_described_with_its_engine_and_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_only(["onnxruntime"], tmp_path, monkeypatch)
    described = {one.name: one for one in describe_environments()}
    there = described["onnxruntime"]
    assert there.engine_version == pins(REQUIREMENTS / "onnxruntime.txt")["onnxruntime"]
    assert 100e6 < (there.bytes or 0) < 350e6
    assert str(there.interpreter) == interpreter_for("onnxruntime")
    assert described["openvino"].interpreter is None
    assert described["openvino"].engine_version, "our own interpreter has it"
    assert described["deepsparse"].engine_version is None


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_a_worker_s_environment_holds_one_engine() -> None:
    engines = {engine.module for engine in ENGINES.values()}
    code = f"from importlib.util import find_spec; print(*(one for one in {engines} if find_spec(one)))"
    assert output_of(created("onnxruntime"), code) == "onnxruntime"


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_one_server_runs_variants_of_different_environments_behind_one_port(
    tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    envs = tmp_path / "envs"
    envs.mkdir()
    use_only(["openvino"], envs, monkeypatch)
    folder = tiny_store / "tiny" / "dense"
    variants = [f"{folder}@onnxruntime", f"{folder}@openvino"]
    specs = variant_specs([parse_candidate(one) for one in variants])
    assert [spec.python for spec in specs] == [sys.executable, interpreter_for("openvino")]
    with running_server(variants, tmp_path / "server.log") as url:
        workers = [psutil.Process(pid) for pid in worker_pids(url)]
        assert [worker.cmdline()[0] for worker in workers] == [spec.python for spec in specs]
        assert len({worker.ppid() for worker in workers}) == 1
        first, second = (ask(url, spec.name) for spec in specs)
    assert first["label"] == second["label"]
    assert first["score"] == pytest.approx(second["score"], abs=1e-4)
