"""Whether requests are traced: only where OpenTelemetry's standard variables say so is OpenTelemetry needed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model_store.errors import ParetoServeError

if TYPE_CHECKING:
    from serving.front.spans import Spans

# Where to send traces; without one of them there are none.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@contextmanager
def spans_where_asked() -> "Iterator[Spans | None]":
    """What makes spans, if the environment asks for them; at the end, the last ones are sent.

    Raises:
        ParetoServeError: they are asked for and cannot be had.
    """
    asked = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if asked is None:
        yield None
        return
    spans = _open_spans(asked)
    try:
        yield spans
    finally:
        spans.close()


def _open_spans(asked: str) -> "Spans":
    try:
        from serving.front.spans import Spans
    except ImportError as exc:
        raise ParetoServeError(
            f"{asked} asks for traces, but OpenTelemetry is missing: pip install 'paretoserve[otel]', or unset it."
        ) from exc
    try:
        return Spans()
    except ValueError as exc:
        raise ParetoServeError(f"A variable OTEL_… has a value that OpenTelemetry cannot use: {exc}") from exc
