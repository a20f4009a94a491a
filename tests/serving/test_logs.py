"""What a real server logs, and that nothing of what clients send is in it."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paretoserve.hosts.process import running_server
from serving.logs import JsonFormatter, TextFormatter, place_of
from tests.handlers.variants import copy_of, write_code
from tests.serving.front_server import ROOT, GatedModel, front, spec, until

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"

FAILING = "def predict_fn(data, model): raise ValueError(data['inputs'])\ndef model_fn(folder): pass\n"

# What no step expects of its input, with a message that repeats the body.
ODD = """
class Odd(dict):
    def __contains__(self, key):
        raise RuntimeError(self["body"])
    get = __iter__ = keys = __contains__

def input_fn(body, kind):
    return Odd(body=body)
"""


def lines(log: Path, **fields: object) -> list[dict[str, Any]]:
    """The records of a log in JSON that have these fields; what is written at this moment is not looked at."""
    complete = log.read_text().rpartition("\n")[0]
    records = [json.loads(line) for line in complete.splitlines()]
    return [one for one in records if all(one.get(name) == value for name, value in fields.items())]


def the_line(log: Path, **fields: object) -> dict[str, Any]:
    """The one record with these fields, once it is there."""
    until(lambda: lines(log, **fields))
    (found,) = lines(log, **fields)
    return found


def test_a_500_is_logged_with_its_ids_by_front_and_worker_and_without_what_was_sent(tmp_path: Path) -> None:
    failing, log = write_code(tmp_path / "failing", FAILING), tmp_path / "log"
    with front([spec(failing, "python")], log=log, log_format="json") as server:
        answer = server.ask("a private text", X_Request_Id="order 7", traceparent=TRACEPARENT)
        assert (answer.status_code, "a private text" in answer.text) == (500, True)
        told = the_line(log, logger="paretoserve.requests")
        assert (told["level"], told["message"]) == ("ERROR", "POST /invocations answered 500")
        assert (told["request_id"], told["trace_id"]) == ("order 7", TRACE_ID)
        assert (told["variant"], told["backend"], told["error"]) == ("failing", "python", "BackendError")
        assert told["duration_s"] >= told["infer_s"] > 0
        place = the_line(log, logger="paretoserve.worker", level="ERROR")
        assert (place["variant"], [place["pid"]]) == ("failing", server.worker_pids())
        assert "in predict_fn" in place["exception"]
        assert "ValueError" in place["exception"]
        assert the_line(log, logger="paretoserve.supervisor")["time"].endswith("+00:00")
    assert "private" not in log.read_text()


def test_a_bug_on_a_body_is_logged_by_its_place(dense: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with front([spec(write_code(copy_of(dense, tmp_path / "mine"), ODD))], log=log, log_format="json") as server:
        assert server.ask("a private text").status_code == 500
        place = the_line(log, logger="paretoserve.worker", level="ERROR")
        assert "in decode" in place["exception"]
        assert [place["pid"]] == server.worker_pids()
    assert "private" not in log.read_text()


def test_at_debug_every_request_has_a_line_and_at_info_only_those_that_the_server_failed(
    dense: Path, tmp_path: Path
) -> None:
    for level, expected in (("debug", [200, 404, 400]), ("info", [])):
        log = tmp_path / level
        with front([spec(dense)], log=log, log_format="json", log_level=level) as server:
            server.ask("a good film", X_Request_Id="first")
            unknown = "/v2/models/no-such-variant/infer"
            server.http.post(unknown, json={"inputs": "a good film"}, headers={"X-Request-Id": "second"})
            server.http.post("/v2/models/dense/infer", content=b"private", headers={"X-Request-Id": "third"})
            assert server.stop() == 0
        told = lines(log, logger="paretoserve.requests")
        assert [one["status"] for one in told] == expected
        assert "good film" not in log.read_text()
        assert "private" not in log.read_text()
    first, second, third = lines(tmp_path / "debug", logger="paretoserve.requests")
    assert (first["request_id"], first["variant"], first["tokens"]) == ("first", "dense", 5)
    assert first["duration_s"] >= first["infer_s"] > 0
    assert (second["request_id"], second["error"], "variant" in second) == ("second", "UnknownVariant", False)
    assert (third["request_id"], third["message"]) == ("third", "POST /v2/models/{name}/infer answered 400")


def test_refusals_are_told_in_sum(tmp_path: Path) -> None:
    model, log = GatedModel(tmp_path / "gated"), tmp_path / "log"
    with front([model.spec], log=log, log_format="json", max_queue=1, queue_deadline_s=60.0) as server:
        first = server.asking("wait")
        with model.held():
            assert {server.ask("more").status_code for _ in range(50)} == {429}
            until(lambda: sum(one["refused"] for one in lines(log, variant="gated", level="WARNING")) == 50)
            # The last ones are told when the server ends, at the latest.
            assert server.ask("more").status_code == 429
        assert first.result().status_code == 200
        assert server.stop() == 0
    summed = lines(log, logger="paretoserve.requests")
    assert sum(one["refused"] for one in summed) == 51
    assert len(summed) < 51
    assert {tuple(one["reasons"]) for one in summed} == {("queue full",)}
    assert summed[0]["message"] == f"refused {summed[0]['refused']} requests in the last second"


def test_requests_to_a_variant_that_is_not_ready_are_told_in_sum_and_those_that_lost_their_worker_one_by_one(
    tmp_path: Path,
) -> None:
    model, log = GatedModel(tmp_path / "gated"), tmp_path / "log"
    broken = spec(write_code(tmp_path / "broken", "import no_such_module\n"), "python")
    with front([model.spec, broken], wait=False, log=log, log_format="json") as server:
        assert {server.ask("a", "broken").status_code for _ in range(20)} == {503}
        assert server.metric("rejected_total", variant="broken", reason="not ready") == 20
        until(lambda: server.ask("a").status_code == 200)
        refused = server.metric("rejected_total", variant="gated")
        answer = server.asking("wait")
        with model.held():
            os.kill(server.variants()["gated"]["workers"][0]["pid"], signal.SIGKILL)
            lost = answer.result()
        assert lost.status_code == 503
        assert server.metric("rejected_total", variant="gated") == refused, "it failed, and was not refused"
        assert server.stop() == 0
    told = lines(log, logger="paretoserve.requests", variant="broken")
    assert sum(one["reasons"]["not ready"] for one in told) == 20
    assert the_line(log, status=503)["request_id"] == lost.headers["x-request-id"]


def test_that_a_request_was_not_http_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with front([GatedModel(tmp_path / "gated").spec], log=log, log_format="json") as server:
        with socket.create_connection(server.address) as client:
            client.sendall(b"\x00\x01\x02\r\n\r\n")
            client.recv(65536)
        assert the_line(log, logger="paretoserve.requests", level="WARNING")["message"].endswith("were not HTTP")


@pytest.mark.parametrize("by", ["option", "environment"])
def test_the_command_line_sets_format_and_level(
    by: str, dense: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--log-format", "json", "--log-level", "error"] if by == "option" else []
    if by == "environment":
        monkeypatch.setenv("PARETOSERVE_LOG_FORMAT", "json")
        monkeypatch.setenv("PARETOSERVE_LOG_LEVEL", "error")
    dying = write_code(tmp_path / "dying", "import no_such_module\n")
    log = tmp_path / "log"
    with pytest.raises(Exception, match="no_such_module"), running_server([str(dying)], log, options):
        pass
    levels = {one["level"] for one in lines(log)}
    assert "ERROR" in levels
    assert levels.isdisjoint({"DEBUG", "INFO", "WARNING"})


def test_an_error_that_ends_the_process_is_a_line_of_json() -> None:
    code = "from serving.logs import configure_logs\nconfigure_logs('json', 'info', {'pid': 7})\n1 / 0\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    record = json.loads(line)
    assert (done.returncode, record["level"], record["pid"]) == (1, "CRITICAL", 7)
    assert record["exception"].endswith("ZeroDivisionError: division by zero")


def record(message: str, *values: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("paretoserve").makeRecord(
        "paretoserve", logging.INFO, "", 0, message, values, None, extra=extra
    )


def test_json_holds_what_no_encoding_can_write() -> None:
    line = JsonFormatter({"variant": "int8"}).format(record("loaded %s", os.fsdecode(b"caf\xe9"), path=Path("x")))
    told = json.loads(line)
    assert (told["message"], told["variant"], told["path"]) == ("loaded caf\udce9", "int8", "x")


def test_text_has_the_fields_behind_the_message_and_the_place_below() -> None:
    line = TextFormatter({"variant": "int8"}).format(record("failed", status=500, reason="a b", exception="the place"))
    assert line.endswith('INFO paretoserve failed variant="int8" status=500 reason="a b"\nthe place')


def fail_on(text: str) -> None:
    try:
        int(text)
    except ValueError as exc:
        raise KeyError(text) from exc


def test_the_place_of_an_error_names_its_causes_and_repeats_no_message() -> None:
    with pytest.raises(KeyError) as caught:
        fail_on("private")
    place = place_of(caught.value)
    assert place.index("ValueError") < place.index("KeyError")
    assert place.count("in fail_on") == 2
    assert "private" not in place.replace('fail_on("private")', "")
