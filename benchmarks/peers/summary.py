"""What the rounds say: each peer at its best, and our throughput over it, taken within each round."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from benchmarks.harness.results import ratios, spread
from benchmarks.peers.common.peer import BATCHED, ONE_BY_ONE
from benchmarks.peers.contestant import OURS, OWN_CODE

Round = Mapping[str, Mapping[str, Any]]
"""The figures of each contestant that was measured in a round, by its name."""


def summarize(rounds: Sequence[Round]) -> dict[str, Any]:
    """Of contestants that were measured in every round. `ours` and the ratios are absent where we were not."""
    names = [name for name in rounds[0] if all(name in one for one in rounds)] if rounds else []
    ours = [name for name in names if _server(name) == OURS]
    theirs = [name for name in names if _server(name) not in (OURS, OWN_CODE)]
    best = {server: _best(rounds, of_server) for server, of_server in _by_server(theirs).items()}
    summary: dict[str, Any] = {server: _figures(rounds, name) for server, name in best.items()}
    if not ours:
        return {"peers": summary}
    for server, of_peer in summary.items():
        of_peer["ours_over_it"] = _spread(ratios(_rates(rounds, ours[0]), _rates(rounds, best[server])))
    return {
        "ours": _figures(rounds, ours[0]),
        "peers": dict(sorted(summary.items(), key=lambda one: -one[1]["requests_per_s"]["median"])),
        **_against_fastest(rounds, ours[0], theirs),
        **_own_code(rounds, names),
    }


def _against_fastest(rounds: Sequence[Round], ours: str, theirs: Sequence[str]) -> dict[str, Any]:
    """Ours over whichever peer was fastest in the same round: the strictest comparison."""
    if not theirs:
        return {}
    fastest = [max(_rate(one, name) for name in theirs) for one in rounds]
    return {
        "fastest_peer": _server(_best(rounds, theirs)),
        "ratio_to_fastest_peer": _spread(ratios(_rates(rounds, ours), fastest)),
    }


def _own_code(rounds: Sequence[Round], names: Sequence[str]) -> dict[str, Any]:
    """Of own code that takes lists: over the same code one by one, and over LitServe in batches, in each round."""
    batched, alone, litserve = f"{OWN_CODE}, {BATCHED}", f"{OWN_CODE}, {ONE_BY_ONE}", f"litserve, {BATCHED}"
    if batched not in names:
        return {}
    over = {"over_one_by_one": alone, "over_litserve": litserve}
    found = {
        name: _spread(ratios(_rates(rounds, batched), _rates(rounds, other)))
        for name, other in over.items()
        if other in names
    }
    return {"own_code": _figures(rounds, batched) | found}


def _figures(rounds: Sequence[Round], name: str) -> dict[str, Any]:
    return {
        "configuration": name.split(", ", 1)[1],
        "requests_per_s": _spread(_rates(rounds, name)),
        "p95_ms": _spread([one[name]["many_clients"]["p95_ms"] for one in rounds]),
        "one_client_p50_ms": _spread([one[name]["one_client"]["p50_ms"] for one in rounds]),
        "not_200": sum(one[name][load]["not_200"] for one in rounds for load in ("many_clients", "one_client")),
    }


def _best(rounds: Sequence[Round], names: Iterable[str]) -> str:
    return max(names, key=lambda name: statistics.median(_rates(rounds, name)))


def _by_server(names: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name in names:
        grouped.setdefault(_server(name), []).append(name)
    return grouped


def _server(name: str) -> str:
    return name.split(", ", 1)[0]


def _rates(rounds: Sequence[Round], name: str) -> list[float]:
    return [_rate(one, name) for one in rounds]


def _rate(one: Round, name: str) -> float:
    rate: float = one[name]["many_clients"]["requests_per_s"]
    return rate


def _spread(values: Sequence[float]) -> dict[str, float]:
    return msgspec.to_builtins(spread(values))  # type: ignore[no-any-return]
