"""The emulator as a process, and what its parent tells it: `python -m paretoserve.sagemaker.emulator.process FD JSON`.

FD is the socket that listens already.
"""

import socket
import sys

import msgspec

from paretoserve.sagemaker.emulator.app import Front, make_app
from paretoserve.sagemaker.emulator.asynchronous import Asynchronous
from paretoserve.sagemaker.emulator.description import Endpoint
from paretoserve.sagemaker.emulator.runtime import Runtime
from paretoserve.sagemaker.emulator.storage import s3_client
from serving.front.access import access_of
from serving.front.http_door import Door, make_answers
from serving.front.server import DrainingServer, allow_connections, uvicorn_config
from serving.front.settings import Settings
from serving.logs import LogFormat, LogLevel, configure_logs


class Told(msgspec.Struct, frozen=True):
    """An endpoint, the server that stands for its container, and settings of that server that hold here, too."""

    endpoint: Endpoint
    container_url: str
    host: str
    allow_hosts: tuple[str, ...]
    max_connections: int
    drain_timeout_s: float
    log_format: LogFormat
    log_level: LogLevel


def told(endpoint: Endpoint, container_url: str, settings: Settings) -> Told:
    """What the emulator beside a server with these settings is told."""
    shared = [field for field in Told.__struct_fields__ if hasattr(settings, field)]
    return Told(endpoint, container_url, **{name: getattr(settings, name) for name in shared})


def server_of(told: Told) -> DrainingServer:
    """What answers for an endpoint, once it is run on a socket.

    Raises:
        EnvironmentUnavailable: asynchronous invocations are asked for, and there is no boto3 or no region.
    """
    settings = Settings(host=told.host, allow_hosts=told.allow_hosts, max_connections=told.max_connections)
    runtime = Runtime(told.endpoint, told.container_url)
    asynchronous = Asynchronous(runtime, s3_client()) if told.endpoint.async_output else None
    front = Front(runtime, access_of(settings), asynchronous)
    door = Door(settings, make_answers(settings), lambda url, headers, is_last: None, lambda: None)
    return DrainingServer(uvicorn_config(make_app(front), door), front.drain, told.drain_timeout_s)


def main() -> None:
    number, raw = sys.argv[1:]
    told = msgspec.json.decode(raw, type=Told)
    configure_logs(told.log_format, told.log_level)
    allow_connections(2 * told.max_connections)  # each invocation takes one of the container, too
    with socket.socket(fileno=int(number)) as listener:
        server_of(told).run(sockets=[listener])


if __name__ == "__main__":
    main()
