"""TorchServe as a process: its Java with everything that it writes in one private folder, and nothing left of it after.

It listens on Unix sockets in that folder, and with gRPC, which cannot be turned off, on two free loopback ports.
"""

import asyncio
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from model_store.errors import BackendError
from serving.torchserve.archive import Addresses, archive_files, properties
from serving.torchserve.client import ask_once, get
from serving.torchserve.envelope import HandlerConfig

log = logging.getLogger("paretoserve.torchserve")

MODEL = "variant"
"""What TorchServe calls it."""

LAST_LINES = 30

# Of the folder, so that the paths of sockets in it do not grow beyond what Linux takes, 107 bytes.
LONGEST_PATH_BYTES = 85

_POLL_S = 0.05

# Of a server that went away, even by SIGKILL, this shell notices that its standard input ends. It then ends what is in
# the process group whose id it has read (Java and the Python worker), and removes the folder.
_JANITOR = """
trap '' HUP INT TERM
while read -r line; do group=$line; done
[ -z "$group" ] || kill -s KILL -- "-$group"
rm -rf -- "$1"
"""

_LOG4J = """<Configuration>
  <Appenders><Console name="STDERR" target="SYSTEM_ERR"><PatternLayout pattern="%p %c %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="STDERR"/></Root>
  <Logger name="MODEL_LOG" level="info"/><Logger name="io.netty" level="error"/><Logger name="ACCESS_LOG" level="off"/>
  <Logger name="TS_METRICS" level="off"/><Logger name="MODEL_METRICS" level="off"/></Loggers>
</Configuration>
"""

# Variables that would lead TorchServe's Java to other settings than those in its folder.
_NOT_OURS = ("TS_CONFIG_FILE", "MODEL_SERVER_HOME")


@dataclass(slots=True)
class TorchServe:
    """A TorchServe that is starting or running, with the last lines of its output."""

    folder: Path
    java: "subprocess.Popen[bytes]"
    janitor: "subprocess.Popen[bytes]"
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    @property
    def inference(self) -> Path:
        return self.folder / "inference"

    @property
    def management(self) -> Path:
        return self.folder / "management"

    async def listen(self) -> None:
        """Pass its output on to the log until it ends."""
        output = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), self.java.stdout)
        while chunk := await output.read(2**16):
            for line in chunk.decode(errors="replace").splitlines():
                self.last_lines.append(line)
                log.debug("%s", line)

    def end(self) -> None:
        """End it, and wait until its folder is gone."""
        assert self.janitor.stdin is not None, "this is a bug: the janitor's input is a pipe"
        self.janitor.stdin.close()
        self.janitor.wait()


def find_java() -> str:
    """The Java that TorchServe's own launcher would take.

    Raises:
        BackendError: there is none, or TorchServe is not installed.
    """
    if find_spec("ts") is None:
        raise BackendError("TorchServe is not installed here; run: paretoserve env create torchserve.")
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        raise BackendError("TorchServe needs Java; install Java 17 or later, and see that it is on the PATH.")
    return java


def start(java: str, config: HandlerConfig) -> TorchServe:
    """Start TorchServe with this handler as its only model; it is not ready yet.

    Raises:
        BackendError: the path of the temporary folder is too long.
    """
    folder = _private_folder()
    janitor = subprocess.Popen(  # noqa: S603  fixed words
        ["/bin/sh", "-c", _JANITOR, "janitor", str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    _write_files(folder, config)
    # Nothing else may happen until the janitor knows of it.
    process = subprocess.Popen(  # noqa: S603  of an interpreter's and a Java's paths
        _command(java, folder),
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert janitor.stdin is not None, "this is a bug: the janitor's input is a pipe"
    janitor.stdin.write(f"{process.pid}\n".encode())
    janitor.stdin.flush()
    return TorchServe(folder, process, janitor)


def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="torchserve-"))
    if len(os.fsencode(folder)) > LONGEST_PATH_BYTES:
        folder.rmdir()
        raise BackendError("The path of the temporary folder is too long for sockets in it; set a shorter TMPDIR.")
    return folder


def _write_files(folder: Path, config: HandlerConfig) -> None:
    for name, content in archive_files(MODEL, config).items():
        file = folder / "store" / MODEL / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    # Java's own temporary files, and TorchServe's sockets to its worker.
    (folder / "tmp").mkdir()
    inference, management, metrics = (f"unix:{folder / name}" for name in ("inference", "management", "metrics"))
    addresses = Addresses(inference, management, metrics, *_free_ports(2))
    (folder / "config.properties").write_text(properties(MODEL, MODEL, str(folder / "store"), addresses))
    (folder / "log4j2.xml").write_text(_LOG4J)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment, each another one."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _command(java: str, folder: Path) -> list[str]:
    """What `torchserve --start` would run. It would leave a file with the process id in the common temporary folder,
    and stand between us and Java."""
    spec = find_spec("ts")
    assert spec is not None, "this is a bug: that it is installed was seen before"
    assert spec.origin is not None, "this is a bug: ts is a package with an __init__"
    package = Path(spec.origin).parent
    return [
        java,
        "-XX:-UsePerfData",  # no file below /tmp
        f"-XX:ErrorFile={folder / 'java-error.log'}",
        f"-Djava.io.tmpdir={folder / 'tmp'}",
        f"-Dmodel_server_home={package.parent}",
        f"-Dlog4j.configurationFile={(folder / 'log4j2.xml').as_uri()}",
        *("-cp", f"{package / 'frontend'}/*", "org.pytorch.serve.ModelServer"),
        *("--python", sys.executable, "-f", "config.properties", "-s", str(folder / "store")),
        *("-ncs", "--disable-token-auth"),
    ]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    logs = str(folder / "logs")
    return kept | {"TEMP": str(folder / "tmp"), "LOG_LOCATION": logs, "METRICS_LOCATION": logs}


async def until_ready(torchserve: TorchServe) -> None:
    """Until the model's worker is ready; TorchServe's own ping says so long before.

    Raises:
        BackendError: Java, or the worker, ended instead.
    """
    seen = -1
    while True:
        if torchserve.java.poll() is not None:
            raise _did_not_start(torchserve, "Java ended")
        status, pid = await _worker_status(torchserve)
        if status == "READY":
            return
        if seen not in (-1, pid):
            raise _did_not_start(torchserve, "its worker ended")
        seen = pid
        await asyncio.sleep(_POLL_S)


def _did_not_start(torchserve: TorchServe, what: str) -> BackendError:
    log.error("TorchServe did not start; the end of its log:\n%s", "\n".join(torchserve.last_lines))
    return BackendError(f"TorchServe did not start: {what}; the server's log has the end of its output.")


async def _worker_status(torchserve: TorchServe) -> tuple[str, int]:
    """Status and process id of the worker; without a status and with -1 as long as there is none."""
    response = await ask_once(torchserve.management, get(f"/models/{MODEL}"))
    if response is None or response.status != 200:
        return "", -1
    workers = json.loads(response.body)[0]["workers"]
    return (workers[0]["status"], workers[0]["pid"]) if workers else ("", -1)
