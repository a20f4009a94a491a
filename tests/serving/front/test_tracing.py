"""Spans, as a collector gets them from a real server over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.handlers.variants import write_code
from tests.serving.front_server import ROOT, front, spec, until

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"

FAILING = "def predict_fn(data, model): raise ValueError(data['inputs'])\ndef model_fn(folder): pass\n"


class Collector:
    """Takes what servers send to it, and keeps it."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.requests: list[ExportTraceServiceRequest] = []

    def environment(self, delay_ms: int = 10) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": str(delay_ms)}

    @property
    def spans(self) -> list[Span]:
        resources = [one for request in self.requests for one in request.resource_spans]
        return [span for resource in resources for scope in resource.scope_spans for span in scope.spans]

    def of_request(self, request_id: str) -> tuple[Span, dict[str, Span]]:
        """The span of a request and those of its parts, once they are there."""
        until(lambda: self._of(request_id))
        whole = self._of(request_id)[0]
        return whole, {one.name: one for one in self.spans if one.parent_span_id == whole.span_id}

    def _of(self, request_id: str) -> list[Span]:
        return [span for span in self.spans if attributes(span).get("paretoserve.request_id") == request_id]


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            collected.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collected = Collector(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collected
        server.shutdown()
        thread.join()


def test_a_request_is_a_span_in_its_clients_trace_with_its_parts_inside(dense: Path, collector: Collector) -> None:
    with front([spec(dense)], env=collector.environment()) as server:
        answer = server.ask("a good film", traceparent=TRACEPARENT, X_Request_Id="one")
        assert answer.headers["traceparent"] == TRACEPARENT
        whole, parts = collector.of_request("one")
    assert (whole.name, whole.kind) == ("POST /invocations", Span.SpanKind.SPAN_KIND_SERVER)
    assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert attributes(whole) == {
        "http.request.method": "POST",
        "http.route": "/invocations",
        "http.response.status_code": 200,
        "paretoserve.request_id": "one",
        "paretoserve.variant": "dense",
        "paretoserve.backend": "onnxruntime",
        "paretoserve.tokens": 5,
    }
    assert list(parts) == ["tokenize", "queue", "batch", "infer", "encode"]
    assert {one.trace_id.hex() for one in parts.values()} == {TRACE_ID}
    moments = [whole.start_time_unix_nano]
    for part in parts.values():
        moments += [part.start_time_unix_nano, part.end_time_unix_nano]
    assert [*moments, whole.end_time_unix_nano] == sorted([*moments, whole.end_time_unix_nano])
    timing = dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    infer_ms = (parts["infer"].end_time_unix_nano - parts["infer"].start_time_unix_nano) / 1e6
    assert infer_ms == pytest.approx(float(timing["infer"]), abs=0.01)


def test_a_request_without_a_trace_begins_one_and_one_that_is_not_sampled_has_no_span(
    dense: Path, collector: Collector
) -> None:
    with front([spec(dense)], env=collector.environment()) as server:
        server.ask("good", traceparent=f"{TRACEPARENT[:-2]}00", X_Request_Id="not sampled")
        assert server.http.post("/v2/models/dense/infer", content=b"{", headers={"X-Request-Id": "v2"}).is_error
        server.http.post("/v2/models/no-such-variant/infer", headers={"X-Request-Id": "unknown"})
        v2, _ = collector.of_request("v2")
        unknown, parts = collector.of_request("unknown")
        assert server.stop() == 0
    assert (v2.name, v2.parent_span_id) == ("POST /v2/models/{name}/infer", b"")
    assert v2.trace_id != unknown.trace_id
    assert (attributes(unknown)["http.response.status_code"], parts) == (404, {})
    assert "paretoserve.variant" not in attributes(unknown)
    assert TRACE_ID not in {span.trace_id.hex() for span in collector.spans}


def test_a_failure_of_the_server_is_marked_and_one_of_the_client_is_not(tmp_path: Path, collector: Collector) -> None:
    failing = spec(write_code(tmp_path / "failing", FAILING), "python")
    with front([failing], env=collector.environment()) as server:
        server.ask("a private text", X_Request_Id="failed")
        server.ask("good", X_Request_Id="bad", X_Request_Timeout_Ms="soon")
        failed, _ = collector.of_request("failed")
        bad, _ = collector.of_request("bad")
    assert (failed.status.code, attributes(failed)["error.type"]) == (Status.STATUS_CODE_ERROR, "BackendError")
    assert (bad.status.code, attributes(bad)["error.type"]) == (Status.STATUS_CODE_UNSET, "BadInput")
    assert not any(b"private" in request.SerializeToString() for request in collector.requests)


def test_spans_that_wait_are_sent_when_the_server_drains(dense: Path, collector: Collector) -> None:
    environment = collector.environment(delay_ms=3_600_000) | {"OTEL_RESOURCE_ATTRIBUTES": "deployment=blue"}
    with front([spec(dense)], env=environment) as server:
        server.ask("good", X_Request_Id="last")
        assert not collector.spans
        assert server.stop() == 0
    whole, parts = collector.of_request("last")
    assert (whole.name, len(parts)) == ("POST /invocations", 5)
    resource = {one.key: one.value.string_value for one in collector.requests[0].resource_spans[0].resource.attributes}
    assert (resource["service.name"], resource["deployment"]) == ("paretoserve", "blue")


def test_a_worker_that_died_is_started_again_while_requests_are_traced(dense: Path, collector: Collector) -> None:
    with front([spec(dense)], env=collector.environment()) as server:
        (pid,) = server.worker_pids()
        os.kill(pid, signal.SIGKILL)
        until(lambda: server.metric("worker_restarts_total") == 1)
        until(server.is_ready)
        server.ask("good", X_Request_Id="after")
        collector.of_request("after")


@contextmanager
def deaf_collector() -> Iterator[str]:
    """The address of somebody who accepts connections and never reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# A collector is waited for by the exporter itself for 30 s, which no server that is told to stop has.
@pytest.mark.timeout(25)
def test_a_collector_that_hangs_keeps_no_request_and_no_end_waiting(dense: Path) -> None:
    with deaf_collector() as endpoint:
        environment = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "1000"}
        small = {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4"}
        with front([spec(dense)], env=environment | small) as server:
            assert {server.ask("good").status_code for _ in range(20)} == {200}
            assert server.stop() == 0


def without_opentelemetry(folder: Path) -> dict[str, str]:
    """An environment in which OpenTelemetry cannot be imported."""
    (folder / "opentelemetry").mkdir()
    (folder / "opentelemetry" / "__init__.py").write_text("raise ModuleNotFoundError('it is not installed')\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def served(folder: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "paretoserve", "serve", str(folder), "--port", "0"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment})


def test_traces_that_are_asked_for_and_cannot_be_had_are_told_in_a_sentence(dense: Path, tmp_path: Path) -> None:
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    done = served(dense, without_opentelemetry(tmp_path) | asked)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, but OpenTelemetry is missing: "
        "pip install 'paretoserve[otel]', or unset it.\n"
    )


def test_a_variable_that_opentelemetry_cannot_use_is_told_in_a_sentence(dense: Path) -> None:
    # Batches are of 512 spans.
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_MAX_QUEUE_SIZE": "8"}
    done = served(dense, asked)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: A variable OTEL_… has a value that OpenTelemetry cannot use:" in done.stderr


def test_without_the_variables_nothing_of_opentelemetry_is_needed(dense: Path, tmp_path: Path) -> None:
    with front([spec(dense)], env=without_opentelemetry(tmp_path)) as server:
        assert server.ask("good").status_code == 200
