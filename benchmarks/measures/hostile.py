"""Ordinary clients beside one that sends the most expensive bodies that are legal: what do they lose?"""

import http.client
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.results import Result, make_result, ratios, spread
from benchmarks.harness.sentences import load_sentences
from benchmarks.harness.served import PATIENT, Served, served
from paretoserve.campaigns.compare import split_cores

BACKEND = "onnxruntime"
CLIENTS = 16

# Just under the server's limit.
LARGE_BYTES = 6 * 1024 * 1024 - 1024


@dataclass(frozen=True, slots=True)
class Hostile:
    """A body that is sent without pause, and where to."""

    path: str
    content: bytes
    headers: Mapping[str, str]


def hostile_bodies(variant: str) -> dict[str, Hostile]:
    """What is legal and costs most, by what it is."""
    as_json = {"content-type": "application/json"}
    v2 = f"/v2/models/{variant}/infer"
    long = "good " * 130
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES"}
    nested = "[" * 7 + '"a"' + "]" * 7
    bodies = {
        "one text of 6 MB": ("/invocations", _large('{"inputs": "', "a film ", '"}')),
        "6 MB of spaces": ("/invocations", _large('{"inputs": "', " ", '"}')),
        "256 texts of 128 tokens": ("/invocations", json.dumps({"inputs": [long] * 256})),
        "6 MB of empty lists": ("/invocations", _large('{"inputs": [[]', ",[]", "]}")),
        "V2, 256 texts of 128 tokens": (v2, json.dumps({"inputs": [tensor | {"shape": [256], "data": [long] * 256}]})),
        "V2, a shape of 6 MB": (
            v2,
            _large('{"inputs": [{"name": "text", "datatype": "BYTES", "data": ["a"], "shape": [1', ",9999999", "]}]}"),
        ),
        "V2, 6 MB of nested lists": (
            v2,
            _large(
                '{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [' + nested,
                f",{nested}",
                "]}]}",
            ),
        ),
    }
    return {name: Hostile(path, text.encode(), as_json) for name, (path, text) in bodies.items()}


def _large(begin: str, part: str, end: str) -> str:
    return begin + part * ((LARGE_BYTES - len(begin) - len(end)) // len(part)) + end


def measure_hostile(rounds: int, seconds: float, only: Sequence[str] = ()) -> Result:
    """Each round measures the ordinary clients undisturbed, and beside each kind of hostile client."""
    model, sentences = benchmark_model(), load_sentences()
    server_cores, client_cores = split_cores()
    taken: list[dict[str, Any]] = []
    with served(f"{model.variant('dense')}@{BACKEND}", server_cores, client_cores, PATIENT) as server:
        bodies = {name: one for name, one in hostile_bodies("dense").items() if not only or name in only}
        server.load(sentences.bodies(), seconds=2.0, clients=CLIENTS)
        for _ in range(rounds):
            one: dict[str, Any] = {"undisturbed": _ordinary(server, sentences.bodies(), seconds)}
            for name, hostile in bodies.items():
                with _sending(server.url, hostile) as statuses:
                    one[name] = _ordinary(server, sentences.bodies(), seconds)
                one[name]["hostile"] = dict(statuses)
            taken.append(one)
    settings = {
        "model": model.source,
        "sentences": sentences.source,
        "rounds": rounds,
        "seconds": seconds,
        "clients": CLIENTS,
        "server_cores": list(server_cores),
        "client_cores": list(client_cores),
    }
    return make_result("hostile", settings, taken, {name: _summary(taken, name) for name in bodies})


def _ordinary(server: Served, bodies: tuple[bytes, ...], seconds: float) -> dict[str, Any]:
    figures = dict(server.load(bodies, seconds=seconds, clients=CLIENTS, timeout_s=60.0).figures())
    if figures["p99_ms"] is None:  # nobody was answered for as long as it lasted, at least
        figures["p99_ms"] = 1e3 * seconds
    return figures


def _summary(taken: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    def ratio(figure: str) -> Any:
        return spread(ratios([one[name][figure] for one in taken], [one["undisturbed"][figure] for one in taken]))

    return {"requests_per_s": ratio("requests_per_s"), "p99_ms": ratio("p99_ms"), "hostile": taken[-1][name]["hostile"]}


@contextmanager
def _sending(url: str, hostile: Hostile) -> Iterator[Counter[str]]:
    """One client that sends this from before the block to its end, whatever it is answered."""
    over, statuses = threading.Event(), Counter[str]()
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)
    thread = threading.Thread(target=_send, args=(connection, hostile, over, statuses))
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        if connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)
        thread.join()


def _send(
    connection: http.client.HTTPConnection, hostile: Hostile, over: threading.Event, statuses: Counter[str]
) -> None:
    while not over.is_set():
        try:
            connection.request("POST", hostile.path, hostile.content, dict(hostile.headers))
            answer = connection.getresponse()
            answer.read()
            statuses[str(answer.status)] += 1
        except (OSError, http.client.HTTPException) as exc:
            if not over.is_set():
                statuses[type(exc).__name__] += 1
            connection.close()
    connection.close()
