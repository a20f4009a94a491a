"""Where the time of a request goes: the phases that a server states, and what is left."""

from collections.abc import Mapping

# As `Server-Timing` of our servers names them; the first are of the worker, one after the other.
WORKER_PHASES = ("tokenize", "queue", "batch", "infer", "encode")
STATED = (*WORKER_PHASES, "worker", "total")

# As levels have them: `wire` is between the front and its worker, `transport` between the client and the front.
PHASES = ("transport", "wire", *WORKER_PHASES, "unattributed")


def phases_of(response_ms: float, stated: Mapping[str, float]) -> dict[str, float]:
    """Milliseconds by phase, with a sum of `response_ms`. Phases that the server does not state are left out.

    A server that states no total has its wire and transport in what is unattributed.
    """
    found = {name: stated[name] for name in WORKER_PHASES if name in stated}
    inside = sum(found.values())
    if "total" in stated:
        found["transport"] = response_ms - stated["total"]
        if "worker" in stated:
            found["wire"] = stated["total"] - stated["worker"]
            found["unattributed"] = stated["worker"] - inside
        else:
            found["unattributed"] = stated["total"] - inside
    elif found:
        found["unattributed"] = response_ms - inside
    return {name: found[name] for name in PHASES if name in found}
