"""What an operator can set, with its unit in its name and its default beside it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from handlers.payloads.request import Limits
from serving.logs import LogFormat, LogLevel


@dataclass(frozen=True, slots=True)
class VariantSpec:
    """One variant to serve: under which name, from which folder, on which backend, by which interpreter."""

    name: str
    folder: Path
    backend: str
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one server.

    host: address it listens on; loopback unless told otherwise.
    port: port it listens on; 0 takes a free one.
    workers: processes per variant.
    streams: calls of the engine at once per worker; None measures what is fastest.
    threads_per_stream: threads of each call of the engine; None measures what is fastest.
    batch_tokens: the most tokens in one call of the engine; the number that was fastest at warm-up is taken.
    max_queue: requests of one variant that may be in the server at once; more are answered 429.
    queue_deadline_s: by when requests are to be answered; one that would wait for over 70 % of it is answered 429.
    memory_limit_mib: a worker with more memory than this resident is started anew; None for the container's share.
    max_body_bytes: a larger body is answered 413, as is one that is larger when it is unpacked.
    max_inputs: a request with more texts is answered 413.
    max_bytes_in_flight: all bodies in the server together; more are answered 429; None for a share of the memory.
    max_connections: connections at once, idle ones among them; more are answered 503, health and metrics are not.
    max_header_bytes: request line and headers of a request; more are answered 431.
    max_header_count: headers of a request; more are answered 431.
    max_url_bytes: a longer URL is answered 414.
    header_timeout_s: a request line with headers that takes longer to arrive is answered 408.
    body_timeout_s: a body that takes longer to arrive is answered 408.
    load_timeout_s: a worker that loads for longer is ended and started anew.
    execution_deadline_s: a request that is not answered so long after it was admitted is answered 504.
    hang_timeout_s: a worker whose engine is on one call for longer is ended and started anew.
    drain_timeout_s: how long SIGTERM waits for what was admitted.
    allow_hosts: names that Host may have besides this machine's own; * for all, as without any on all addresses.
    api_key_file: file of keys, one a line; requests other than those for health must bring one. None wants none.
    pass_env: names of environment variables that workers get besides those that engines and user code usually need.
    multi_model: start without variants; models are loaded and unloaded while the server runs.
    install_requirements: workers install what code/requirements.txt names before they load a variant.
    log_format: lines of text, or of JSON, on standard error.
    log_level: the least level that is logged; at debug, a line for every request.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    streams: int | None = None
    threads_per_stream: int | None = None
    batch_tokens: int = 256
    max_queue: int = 512
    queue_deadline_s: float = 0.1
    memory_limit_mib: int | None = None
    max_body_bytes: int = Limits().max_body_bytes
    max_inputs: int = Limits().max_inputs
    max_bytes_in_flight: int | None = None
    max_connections: int = 1024
    max_header_bytes: int = 32 * 1024
    max_header_count: int = 100
    max_url_bytes: int = 8 * 1024
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    load_timeout_s: float = 300.0
    execution_deadline_s: float = 60.0
    hang_timeout_s: float = 30.0
    drain_timeout_s: float = 20.0
    allow_hosts: tuple[str, ...] = ()
    api_key_file: Path | None = None
    pass_env: tuple[str, ...] = ()
    multi_model: bool = False
    install_requirements: bool = False
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"

    @property
    def limits(self) -> Limits:
        """What the worker, or whatever else decodes requests, is told of them."""
        return Limits(self.max_inputs, self.max_body_bytes)
