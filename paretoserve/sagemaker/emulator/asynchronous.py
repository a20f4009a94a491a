"""Asynchronous invocations: accepted at once, answered in turn, their answers left in S3."""

import asyncio
import logging
import re
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.emulator.description import Endpoint
from paretoserve.sagemaker.emulator.errors import PlatformError, throttled, validation_error
from paretoserve.sagemaker.emulator.invocation import ASYNC, invocation_of
from paretoserve.sagemaker.emulator.runtime import Runtime
from paretoserve.sagemaker.emulator.storage import read_object, write_object
from serving.front.asgi import text_header

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger("paretoserve.sagemaker")

# Invocations that wait or are under way; further ones are throttled.
MOST_WAITING = 1000
# SageMaker's default of MaxConcurrentInvocationsPerInstance.
AT_ONCE = 4
# The largest body that is given in the request and not in S3, bytes.
MAX_INLINE_BYTES = 128_000

_LOCATION = re.compile(r"s3://[^/]+/[^\ufffd]+")
_FILENAME = re.compile(r"(?!.*\..*\.)[a-zA-Z0-9][a-zA-Z0-9\-_.]{0,31}")
_FOLDER = re.compile(r"(?!s3:|https:)[a-zA-Z0-9!_.*'()/-]{1,512}")


class _Whole(NamedTuple):
    """A header that is a whole number of seconds."""

    header: str
    least: int
    most: int
    default: int


_TTL = _Whole("x-amzn-sagemaker-requestttlseconds", 60, 21600, 21600)
_TIMEOUT = _Whole("x-amzn-sagemaker-invocationtimeoutseconds", 1, 3600, 900)


@dataclass(frozen=True, slots=True)
class Job:
    """What was accepted. Its input is `body`, or lies at `input_location`."""

    id: str
    headers: dict[bytes, bytes]
    body: bytes
    input_location: str
    output: str
    failure: str
    expires_at: float
    timeout_s: int


class Asynchronous:
    """The queue of an endpoint that has a folder in S3 for its answers. Lives on the event loop."""

    def __init__(self, runtime: Runtime, s3: "S3Client") -> None:
        self._runtime, self._s3 = runtime, s3
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, headers: dict[bytes, bytes], body: bytes) -> Job:
        """Check a request and let it wait for its turn; raises PlatformError."""
        job = _job(self._runtime.endpoint, headers, body)
        if len(self._tasks) >= MOST_WAITING:
            raise throttled()
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def drain(self) -> None:
        """Return once all that was accepted has left its answer."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, job: Job) -> None:
        async with self._turns:
            try:
                body, content_type, location = *await self._answer(job), job.output
            except (PlatformError, ParetoServeError) as exc:
                body, content_type, location = _reason(exc).encode(), "text/plain", job.failure
            if not location:
                log.warning("invocation %s failed, and there is no folder for failures", job.id)
                return
            try:
                await asyncio.to_thread(write_object, self._s3, location, body, content_type)
            except ParetoServeError as exc:
                log.warning("the answer of invocation %s is lost: %s", job.id, exc)

    async def _answer(self, job: Job) -> tuple[bytes, str]:
        if time.monotonic() > job.expires_at:
            raise ParetoServeError("The request was not processed within its RequestTTLSeconds.")
        body = job.body
        if job.input_location:
            body = await asyncio.to_thread(read_object, self._s3, job.input_location)
        invocation = invocation_of(self._runtime.endpoint, job.headers, body, ASYNC)
        _, answer, content = await self._runtime.answered(invocation, job.timeout_s)
        return content, text_header(answer.headers, b"content-type") or "application/octet-stream"


def _job(endpoint: Endpoint, headers: dict[bytes, bytes], body: bytes) -> Job:
    invocation_of(endpoint, headers, body, ASYNC)  # what is wrong with it is said now
    location = _location(headers)
    if bool(location) == bool(body):
        raise validation_error("Give either InputLocation or Body.")
    if len(body) > MAX_INLINE_BYTES:
        raise validation_error(f"Body is over the limit of {MAX_INLINE_BYTES} bytes; give InputLocation.")
    name = uuid.uuid4()
    file = _checked(headers, "filename", _FILENAME) or f"{name}.out"
    inner = _checked(headers, "s3outputpathextension", _FOLDER).strip("/")
    return Job(
        id=text_header(headers, b"x-amzn-sagemaker-inference-id") or str(name),
        headers=headers,
        body=body,
        input_location=location,
        output="/".join(part for part in (str(endpoint.async_output).rstrip("/"), inner, file) if part),
        failure=f"{endpoint.async_failure.rstrip('/')}/{name}-error.out" if endpoint.async_failure else "",
        expires_at=time.monotonic() + _whole(headers, _TTL),
        timeout_s=_whole(headers, _TIMEOUT),
    )


def _location(headers: dict[bytes, bytes]) -> str:
    """Where the input lies, empty where the request says nothing of it; boto3 sends it in UTF-8."""
    location = headers.get(b"x-amzn-sagemaker-inputlocation", b"").decode(errors="replace")
    if location and not _LOCATION.fullmatch(location):
        raise validation_error(f"Invalid InputLocation {location}; give s3://BUCKET/KEY.")
    return location


def _checked(headers: dict[bytes, bytes], name: str, pattern: re.Pattern[str]) -> str:
    value = text_header(headers, f"x-amzn-sagemaker-{name}".encode())
    if value and not pattern.fullmatch(value):
        raise validation_error(f"Value at '{name}' failed to satisfy constraint: Member must satisfy {pattern.pattern}")
    return value


def _whole(headers: dict[bytes, bytes], limits: _Whole) -> int:
    value = text_header(headers, limits.header.encode())
    if not value:
        return limits.default
    if not value.isdecimal() or len(value) > 5 or not limits.least <= int(value) <= limits.most:
        raise validation_error(f"{limits.header} must be between {limits.least} and {limits.most}.")
    return int(value)


def _reason(error: PlatformError | ParetoServeError) -> str:
    """What a failed invocation leaves: the message, as SageMaker does."""
    if isinstance(error, PlatformError):
        told = msgspec.json.decode(error.body, type=dict[str, object])
        return str(told.get("Message") or told.get("message") or error.name)
    return str(error)
