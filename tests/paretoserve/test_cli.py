import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def paretoserve(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "paretoserve", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=env)


def test_help_names_every_command() -> None:
    shown = paretoserve("--help").stdout
    assert all(
        command in shown for command in ("demo", "build", "list", "serve", "load", "compare", "report", "package")
    )


def test_list_shows_each_artifact_of_a_store(tiny_store: Path) -> None:
    done = paretoserve("list", "--store", str(tiny_store))
    assert done.returncode == 0
    assert all(backend in done.stdout for backend in ("torch", "onnxruntime", "openvino"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--store", "no-such-store"], "no store 'no-such-store'"),
        (["serve", "no-such-folder"], "no folder 'no-such-folder'"),
        (["report", "no-such-folder"], "report.json"),
        (["load", "http://127.0.0.1:9", "--data", "no-such.tsv"], "no file or folder 'no-such.tsv'"),
        (["build", "--checkpoint", "./no-such", "--data", "x.tsv", "--recipe", "dense"], "./no-such"),
        (
            ["build", "--checkpoint", "x", "--data", "x.tsv", "--recipe", "int8", "--backend", "torch"],
            "'int8' writes nothing for backend 'torch'",
        ),
        (["env", "create", "tensorrt"], "no environment for 'tensorrt'; choose from torch, "),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code_never_a_traceback(arguments: list[str], message: str) -> None:
    done = paretoserve(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_in_use_is_told_before_anything_is_loaded(tiny_store: Path, taken_port: int) -> None:
    done = paretoserve("serve", str(tiny_store / "tiny" / "dense"), "--port", str(taken_port))
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{taken_port}" in done.stderr
    assert "choose another with --host and --port" in done.stderr


@pytest.mark.parametrize("name", ["PARETOSERVE_PORT", "SAGEMAKER_BIND_TO_PORT"])
def test_what_to_serve_and_where_may_stand_in_the_environment(tiny_store: Path, taken_port: int, name: str) -> None:
    folder = str(tiny_store / "tiny" / "dense")
    done = paretoserve("serve", PARETOSERVE_VARIANT=folder, **{name: str(taken_port)})
    assert f"Cannot listen on 127.0.0.1:{taken_port}" in done.stderr


def test_an_option_counts_more_than_the_environment(tiny_store: Path, taken_port: int) -> None:
    folder = str(tiny_store / "tiny" / "dense")
    done = paretoserve("serve", folder, "--port", str(taken_port), PARETOSERVE_PORT="1", PARETOSERVE_VARIANT="nowhere")
    assert f"Cannot listen on 127.0.0.1:{taken_port}" in done.stderr


def test_a_service_of_kubernetes_that_is_called_paretoserve_is_not_taken_for_a_port() -> None:
    done = paretoserve("serve", "no-such-folder", PARETOSERVE_PORT="tcp://10.0.0.1:80")
    assert done.stderr.startswith("error: There is no folder 'no-such-folder'")


def test_a_backend_whose_engine_is_nowhere_is_told_with_the_command_that_installs_it(
    tiny_store: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_store / "tiny" / "dense", tmp_path / "dense"))
    manifest = folder / "variant.json"
    manifest.write_text(manifest.read_text().replace('"onnxruntime"', '"deepsparse"'))
    done = paretoserve("serve", f"{folder}@deepsparse")
    assert done.returncode == 1
    assert done.stderr == (
        "error: The engine of backend 'deepsparse' is not installed; run: paretoserve env create deepsparse.\n"
    )


def test_env_list_shows_what_runs_each_backend() -> None:
    (torch, deepsparse) = (
        next(line for line in paretoserve("env", "list").stdout.splitlines() if name in line)
        for name in (" torchscript", " deepsparse")
    )
    assert "this interpreter" in torch
    assert "not created" in deepsparse


def test_env_remove_says_where_there_was_none() -> None:
    assert paretoserve("env", "remove", "deepsparse").stdout == "deepsparse: there was none\n"
