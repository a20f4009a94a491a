"""One contestant, once: start, warm up, check its labels, measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.peers.contestant import Contestant
from benchmarks.peers.process import PeerFailed, cpu_seconds_of_children
from loadtest.generator.lean.client import run_client
from loadtest.generator.lean.plan import ClientPlan, ClientResult

LEAST_AGREEMENT = 0.995
ONE_CLIENT_SHARE = 0.4
"""One client is measured for this part of the time that many are."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The same for every contestant. `expected` has the engine's own label of each text that the warm-up asks about."""

    texts: Sequence[str]
    expected: Sequence[str]
    server_cores: Sequence[int]
    client_cores: Sequence[int]
    clients: int
    seconds: float


def measure(contestant: Contestant, conditions: Conditions, log_file: Path) -> dict[str, Any]:
    """The figures of a contestant.

    Raises:
        PeerFailed, ParetoServeError, EnvironmentUnavailable: it cannot be served, or it answers wrongly.
    """
    with contestant.start(conditions.server_cores, log_file) as url:
        agreement = _warm_up(contestant, conditions, url)
        return {
            "agreement": agreement,
            "many_clients": _load(contestant, conditions, url, conditions.clients, conditions.seconds),
            "one_client": _load(contestant, conditions, url, 1, conditions.seconds * ONE_CLIENT_SHARE),
        }


def _warm_up(contestant: Contestant, conditions: Conditions, url: str) -> float:
    """Ask about every text of which the label is known, once; the share of labels that agree."""
    count = len(conditions.expected)
    plan = _plan(contestant, conditions.texts[:count], url, conditions.clients, requests=count, keep_answers=True)
    answers = run_client(plan, conditions.client_cores)
    return agreement_of(contestant, answers, conditions.expected)


def agreement_of(contestant: Contestant, result: ClientResult, expected: Sequence[str]) -> float:
    """The share of labels that agree; raises PeerFailed where too few do."""
    lost = [record for record in result.records if record.outcome != 200]
    if lost:
        raise PeerFailed(f"{contestant.name} answered {lost[0].outcome} to {len(lost)} requests of its warm-up.")
    labels = {body: contestant.label(answer) for body, answer in result.answers.items()}
    share = sum(labels.get(body) == label for body, label in enumerate(expected)) / len(expected)
    if share < LEAST_AGREEMENT:
        raise PeerFailed(f"{contestant.name} gives the engine's label to {share:.1%} of sentences only.")
    return share


def _load(
    contestant: Contestant, conditions: Conditions, url: str, clients: int, seconds: float
) -> Mapping[str, object]:
    plan = _plan(contestant, conditions.texts, url, clients, seconds=seconds)
    cpu_before_s = cpu_seconds_of_children()
    result = run_client(plan, conditions.client_cores)
    cpu_s = cpu_seconds_of_children() - cpu_before_s
    return result.figures() | {"server_cpu_ms_per_request": cpu_s / max(1, len(result.records)) * 1e3}


def _plan(
    contestant: Contestant,
    texts: Sequence[str],
    url: str,
    clients: int,
    *,
    seconds: float | None = None,
    requests: int | None = None,
    keep_answers: bool = False,
) -> ClientPlan:
    address = urlsplit(url)
    assert address.hostname is not None, "this is a bug: servers say where they listen"
    assert address.port is not None, "this is a bug: servers say where they listen"
    return ClientPlan(
        host=address.hostname,
        port=address.port,
        path=contestant.path,
        bodies=tuple(map(contestant.body, texts)),
        clients=clients,
        seconds=seconds,
        requests=requests,
        keep_answers=keep_answers,
    )
