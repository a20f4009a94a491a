"""The log of a process, front or worker: lines of text or of JSON on standard error.

What a client sent is in no log: an error that a request caused is logged by its place and its type only.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

# What every record has, and uvicorn's coloured copy of its message; all else was given as `extra`.
_NOT_EXTRA = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}

# Libraries whose lines below a warning say nothing of our server.
_QUIET = ("asyncio", "urllib3", "uvicorn")


def configure_logs(log_format: LogFormat, level: LogLevel, fields: Mapping[str, object] | None = None) -> None:
    """Send the log of this process to standard error, each line with `fields`. Called once, when a process starts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((JsonFormatter if log_format == "json" else TextFormatter)(fields or {}))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


class TextFormatter(logging.Formatter):
    """A line for people: time, level, logger, message, then `name=value` of the fields."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._fields = fields

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        fields = {**self._fields, **_extra(record)}
        exception = fields.pop("exception", None)
        named = "".join(f" {name}={json.dumps(value, default=str)}" for name, value in fields.items())
        return super().formatMessage(record) + named + (f"\n{exception}" if exception else "")


class JsonFormatter(logging.Formatter):
    """A line for machines: one JSON object, its time in UTC."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._fields,
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # In ASCII, so that what no encoding can write, such as half a surrogate pair in a path, is written as well.
        return json.dumps(line, default=str)


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _NOT_EXTRA}


def place_of(error: BaseException) -> str:
    """The traceback of an error and of its causes without their messages, which may hold what a client sent."""
    return "\n\nThe above was the cause of:\n\n".join(reversed([_place(one) for one in _chain(error)]))


def _place(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Instead of the interpreter's own lines, which would not be JSON."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("paretoserve").critical("the process ends by an error", exc_info=(kind, error, trace))
