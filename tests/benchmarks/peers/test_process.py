import http.client
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from benchmarks.peers import process
from benchmarks.peers.common.peer import Peer, plain_body, plain_label
from benchmarks.peers.process import PeerFailed, running_peer

PEER = Peer("stub", "stub", "/predict", plain_body, plain_label, environment={"STUB": "yes"})


@pytest.fixture(autouse=True)
def _our_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The stub needs no environment of its own, and lies beside this test."""
    (tmp_path / "benchmarks" / "peers" / "stub").mkdir(parents=True)
    monkeypatch.setattr(process, "environment", lambda *asked: Path(sys.executable))
    monkeypatch.setattr(process, "ROOT", tmp_path)


def stub(root: Path, code: str) -> None:
    (root / "benchmarks" / "peers" / "stub" / "server.py").write_text(code)


SERVER = """
import http.server, json, os, subprocess, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps([children, sorted(os.sched_getaffinity(0)), os.environ["STUB"], os.getcwd()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

wait = [sys.executable, "-c", "import signal; signal.pause()"]
# One in a session of its own; one in ours, which has lost our mark.
children = [subprocess.Popen(wait, start_new_session=True).pid, subprocess.Popen(wait, env={}).pid]
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def asked(url: str) -> list[object]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        connection.request("POST", PEER.path, plain_body("x"))
        answer: list[object] = __import__("json").loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def test_a_peer_runs_on_its_cores_and_nothing_of_it_is_left_afterwards(tmp_path: Path) -> None:
    stub(tmp_path, SERVER)
    core = min(os.sched_getaffinity(0))
    with running_peer(PEER, 1, tmp_path, (core,), tmp_path / "logs" / "stub.log") as url:
        children, cores, environment, folder = asked(url)
        assert isinstance(children, list)
        assert all(psutil.pid_exists(pid) for pid in children)
    assert cores == [core]
    assert environment == "yes"
    assert not Path(str(folder)).exists()
    assert not any(_runs(pid) for pid in children)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_peer_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    stub(tmp_path, "raise SystemExit('no model here')")
    with (
        pytest.raises(PeerFailed, match=r"stub ended; the end of its log: no model here"),
        running_peer(PEER, 1, tmp_path, tuple(os.sched_getaffinity(0)), tmp_path / "stub.log"),
    ):
        pytest.fail("it must not become ready")
