import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from paretoserve.healthcheck import told_port


@pytest.mark.parametrize(
    ("environment", "port"),
    [
        ({}, 8080),
        ({"PARETOSERVE_PORT": "9000"}, 9000),
        ({"SAGEMAKER_BIND_TO_PORT": "9001", "PARETOSERVE_PORT": "9000"}, 9001),
        ({"PARETOSERVE_PORT": "tcp://10.0.0.1:80"}, 8080),
    ],
)
def test_it_asks_on_the_port_that_the_server_was_told(environment: Mapping[str, str], port: int) -> None:
    assert told_port(environment) == port


@contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of a server that gives every request this status."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/ping" else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def exit_code(port: int) -> int:
    command = [sys.executable, "-m", "paretoserve.healthcheck"]
    return subprocess.run(command, env={"PARETOSERVE_PORT": str(port)}, check=False).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_its_exit_code_says_whether_the_server_is_ready(status: int, code: int) -> None:
    with answering(status) as port:
        assert exit_code(port) == code


def test_nobody_at_the_port_is_not_ready() -> None:
    with answering(200) as port:
        pass
    assert exit_code(port) == 1
