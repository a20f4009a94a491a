"""An emulator in a thread, in front of a real server or of a container that does as a test says."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from paretoserve.sagemaker.emulator.description import Endpoint, endpoint_told
from paretoserve.sagemaker.emulator.process import server_of, told
from serving.front.server import listen
from serving.front.settings import Settings


def endpoint(served: list[str], weights: list[str] | None = None, shadow: str | None = None, **more: Any) -> Endpoint:
    return endpoint_told("local", served, weights or [], shadow, **more)


@contextmanager
def emulated(described: Endpoint, container_url: str, *, wait: bool = True, **settings: Any) -> Iterator[str]:
    """The address of an emulator on a free port, from when the endpoint is in service unless told not to `wait`."""
    server = server_of(told(described, container_url, Settings(**settings)))
    with listen(Settings(port=0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            if wait:
                wait_for_service(url)
            yield url
        finally:
            server.should_exit = True
            thread.join()


def wait_for_service(url: str) -> None:
    while httpx.get(f"{url}/ping", timeout=60).status_code != 200:
        time.sleep(0.01)


def description(url: str) -> dict[str, Any]:
    """What the emulator says of itself."""
    told: dict[str, Any] = httpx.get(f"{url}/endpoints", timeout=60).json()
    return told


class Asked(NamedTuple):
    """A request as the container got it; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedContainer:
    """A container whose answers a test writes: `answer` is given each request that is no /ping, and its handler."""

    def __init__(self, answer: "Callable[[Asked, Handler], None]") -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.is_ready = True
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.scripted = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "ScriptedContainer":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        container: ScriptedContainer = self.server.scripted  # type: ignore[attr-defined]
        if self.path == "/ping":
            self.reply(200 if container.is_ready else 503, b"")
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        container.asked.append(asked)
        container.answer(asked, self)

    do_GET = do_POST = do_DELETE = handle_one  # noqa: N815  as http.server calls them

    def reply(self, status: int, body: bytes | dict[str, Any], **headers: str) -> None:
        """A whole answer; `_` in a header's name stands for `-`."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content_length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def begin_chunks(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """One chunk; an empty one ends the answer."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def break_off(self) -> None:
        """Close the connection, whatever was promised."""
        self.close_connection = True
        self.connection.shutdown(2)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def scripted(answer: Callable[[Asked, Handler], None]) -> Iterator[ScriptedContainer]:
    with ScriptedContainer(answer) as container:
        yield container
