"""The commands of `docs/deploy.md`, run as they stand there."""

import os
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from docs.generate import DOCS
from tests.docker.containers import build_images, docker, need_engine
from tests.serving.front_server import until
from tests.shown import blocks
from tests.test_docs import store_of_the_pages
from tests.tiny import TEXTS

pytestmark = [pytest.mark.images, pytest.mark.timeout(900)]

BUILT = ("openvino", "onnxruntime", "load")


def commands(name: str) -> list[str]:
    """The page's shell commands that begin so, each on one line."""
    shell = "".join(block.text for block in blocks(DOCS / "deploy.md") if block.language == "sh")
    return [line for line in shell.replace("\\\n", " ").splitlines() if line.startswith(name)]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store and the data that the page speaks of, all of it tiny; the images are built."""
    need_engine()
    build_images(*BUILT)
    folder = tmp_path_factory.mktemp("deploy")
    store_of_the_pages(folder)
    for name in ("data", "runs"):
        (folder / name).mkdir()
    (folder / "data" / "dev.tsv").write_text("sentence\n" + "".join(f"{text}\n" for text, _ in TEXTS))
    return folder


def shell(command: str, folder: Path) -> str:
    done = subprocess.run(["sh", "-c", command], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def servers(workplace: Path) -> Iterator[list[str]]:
    """Where the servers listen that the page starts, each on a port of its own instead of all on one."""
    ids, addresses = [], []
    try:
        for command in commands("docker run --detach"):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{free.getsockname()[1]}"
            ids.append(shell(command.replace("127.0.0.1:8080", address), workplace).splitlines()[-1])
            addresses.append(address)
        for address in addresses:
            until(partial(is_ready, address))
        yield addresses
    finally:
        for one in ids:
            docker("rm", "--force", one)


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/ping").status_code == 200
    except httpx.TransportError:
        return False


def test_every_way_to_run_it_answers_the_pages_question(servers: list[str], workplace: Path) -> None:
    (curl,) = commands("curl")
    assert len(servers) == 3
    for address in servers:
        assert '"label":' in shell(curl.replace("localhost:8080", address), workplace)


def test_the_load_generator_loads_the_classifier(servers: list[str], workplace: Path) -> None:
    (command,) = commands("docker run --rm")
    shell(f"{command} --users 1,2 --dwell 1", workplace)
    assert (workplace / "runs" / "load" / "report.html").is_file()


def test_a_variant_is_put_into_an_image(workplace: Path) -> None:
    (dockerfile,) = (block.text for block in blocks(DOCS / "deploy.md") if block.language == "dockerfile")
    (workplace / "Dockerfile").write_text(dockerfile)
    options = os.environ.get("DOCKER_BUILD", "")
    shell(f"docker build {options} -t paretoserve:with-variant .", workplace)
    started = shell("docker run --detach -p 127.0.0.1::8080 paretoserve:with-variant serve", workplace).splitlines()[-1]
    try:
        address = docker("port", started, "8080").splitlines()[0]
        until(lambda: is_ready(address))
    finally:
        docker("rm", "--force", started)
        docker("image", "rm", "paretoserve:with-variant")
