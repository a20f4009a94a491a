"""The proxies that `docs/deploy.md` shows, each in front of a real server, with a certificate made here."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from docs.generate import DOCS
from tests.serving.front_server import front, spec, until
from tests.shown import blocks

HOST = "models.example"
KEY = "a-key-of-a-test-that-is-long-enough"

pytestmark = pytest.mark.timeout(120)


def config_of(language: str) -> str:
    """What the page shows of a proxy."""
    (config,) = (one.text for one in blocks(DOCS / "deploy.md") if one.language == language and HOST in one.text)
    return config


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def nginx(folder: Path, server: str, port: int) -> Iterator[Path]:
    """nginx with the page's `server` block; yields the certificate to trust."""
    certificate, key = folder / "models.pem", folder / "models.key"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1".split()
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run([*make, "-keyout", key, "-out", certificate, *names], check=True, capture_output=True)
    block = config_of("nginx").replace("127.0.0.1:8080", server).replace("listen 443", f"listen 127.0.0.1:{port}")
    block = block.replace("/etc/ssl/models.example.pem", str(certificate))
    block = block.replace("/etc/ssl/models.example.key", str(key))
    # Its processes write large bodies into this folder, which is for us alone.
    written = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{name}_temp_path {folder / name};\n" for name in written)
    config = folder / "nginx.conf"
    config.write_text(f"user root;\npid {folder / 'pid'};\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{block}}}\n")
    command = ["nginx", "-c", str(config), "-e", str(folder / "error.log"), "-g", "daemon off;"]
    with ended(subprocess.Popen(command, stderr=subprocess.DEVNULL)):
        yield certificate


@contextmanager
def caddy(folder: Path, server: str, port: int) -> Iterator[Path]:
    """Caddy with the page's Caddyfile, which here makes certificates of its own instead of asking for them."""
    here = f"{{\nlocal_certs\nskip_install_trust\nadmin off\nhttps_port {port}\nhttp_port {free_port()}\n}}\n"
    site = config_of("text").replace("127.0.0.1:8080", server)
    (folder / "Caddyfile").write_text(here + site)
    command = ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    certificate = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    env = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with ended(subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)) as process:
        until(lambda: certificate.is_file() or process.poll() is not None)
        yield certificate


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


class Client:
    """Reaches a server by its proxy alone, and trusts that one's certificate only."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def ask(self, path: str, host: str = HOST, **request: Any) -> httpx.Response:
        """Asked by name, at an address: the name is in no DNS."""
        headers = {"Host": host, **request.pop("headers", {})}
        method = "POST" if request else "GET"
        return self._http.request(method, path, headers=headers, extensions={"sni_hostname": HOST}, **request)

    def is_ready(self) -> bool:
        try:
            return self.ask("/ping").status_code == 200
        except httpx.ConnectError:
            return False


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "Caddy"])
def client(request: pytest.FixtureRequest, dense: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    proxy = request.param
    if shutil.which(proxy.__name__) is None:
        pytest.skip(f"{proxy.__name__} is not installed here")
    folder, port = tmp_path_factory.mktemp(proxy.__name__), free_port()
    (folder / "keys").write_text(f"{KEY}\n")
    with ExitStack() as stack:
        served = stack.enter_context(front([spec(dense)], allow_hosts=[HOST], api_key_file=str(folder / "keys")))
        certificate = stack.enter_context(proxy(folder, served.http.base_url.netloc.decode(), port))
        trusting = ssl.create_default_context(cafile=certificate)
        http = stack.enter_context(httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusting))
        reached = Client(http)
        until(reached.is_ready)
        yield reached


def test_who_brings_a_key_is_answered_through_it(client: Client) -> None:
    answer = client.ask("/invocations", json={"inputs": "good"}, headers={"Authorization": f"Bearer {KEY}"})
    assert (answer.status_code, answer.json()[0]["label"]) == (200, "positive")


def test_who_brings_none_is_refused_through_it(client: Client) -> None:
    assert client.ask("/invocations", json={"inputs": "good"}).status_code == 401


def test_another_name_does_not_reach_the_server(client: Client) -> None:
    answer = client.ask("/invocations", host="evil.example", json={"inputs": "good"})
    # nginx hands the name on, and the server refuses it; Caddy has no such site and answers with nothing.
    assert answer.status_code == 421 or not answer.content


def test_a_large_body_arrives_whole(client: Client) -> None:
    request = {"inputs": "good " * 1_000_000}
    answer = client.ask("/invocations", json=request, headers={"Authorization": f"Bearer {KEY}"})
    assert (answer.status_code, answer.headers["x-paretoserve-truncated"]) == (200, "0")
