"""Spans of inference requests, sent over OTLP/HTTP to where the standard variables `OTEL_EXPORTER_OTLP_…` say.

Imported by `serving.front.tracing` only, and only where these ask for traces: OpenTelemetry comes with an extra.
"""

import threading
import time
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.front.exchange import Exchange

# How long the end of the server waits for a collector to take the last spans.
FLUSH_S = 1.0


class Spans:
    """Records every inference request; called on the event loop.

    Spans wait in a bounded queue for a thread that sends them; where they come faster than the collector takes them,
    they are dropped.
    """

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("paretoserve", version("paretoserve"))
        self._propagator = TraceContextTextMapPropagator()

    def record(self, exchange: Exchange) -> None:
        """Make the spans of a request that is answered; as long as it took, that long ago they began."""
        began_ns = time.time_ns() - _ns(time.perf_counter() - exchange.arrived)
        span = self._tracer.start_span(
            f"POST {exchange.route}", self._parent(exchange), SpanKind.SERVER, _attributes(exchange), None, began_ns
        )
        if span.is_recording():
            self._record_parts(exchange, span, began_ns)
            if exchange.status >= 500:
                span.set_status(Status(StatusCode.ERROR, exchange.error))
        span.end(began_ns + _ns(exchange.duration_s))

    def _parent(self, exchange: Exchange) -> Context:
        return self._propagator.extract({"traceparent": exchange.identity.traceparent.decode()}, Context())

    def _record_parts(self, exchange: Exchange, span: Span, began_ns: int) -> None:
        """A reply states how long each part took. They follow one another, the first when the body was read."""
        timings, inside = exchange.timings, set_span_in_context(span, Context())
        parts = (
            ("tokenize", timings.tokenize_s),
            ("queue", timings.queue_s),
            ("batch", timings.batch_s),
            ("infer", timings.infer_s),
            ("encode", timings.encode_s),
        )
        at_ns = began_ns + _ns(exchange.asked - exchange.arrived)
        for name, seconds in parts:
            if seconds > 0:
                part = self._tracer.start_span(name, inside, start_time=at_ns)
                at_ns += _ns(seconds)
                part.end(at_ns)

    def close(self) -> None:
        """Send what is left, for a bounded time."""
        # The provider's own way to end waits for as long as a collector that hangs is tried again.
        sender = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        sender.start()
        sender.join(FLUSH_S)


def _resource() -> Resource:
    ours = Resource({"service.name": "paretoserve", "service.version": version("paretoserve")})
    # The operator's own OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last, and win.
    return Resource.create().merge(ours).merge(OTELResourceDetector().detect())


def _attributes(exchange: Exchange) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "http.request.method": "POST",
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "error.type": exchange.error,
        "paretoserve.request_id": exchange.identity.request_id.decode(),
        "paretoserve.variant": exchange.variant,
        "paretoserve.backend": exchange.backend,
        "paretoserve.tokens": exchange.tokens,
    }
    return {name: value for name, value in attributes.items() if value != ""}


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
