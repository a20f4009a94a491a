from typing import Any

from benchmarks.peers.summary import summarize
from benchmarks.peers.table import peers_table


def figures(rate: float) -> dict[str, Any]:
    return {
        "many_clients": {"requests_per_s": rate, "p95_ms": 50.0, "not_200": 1},
        "one_client": {"p50_ms": 5.0, "not_200": 0},
    }


def rounds(*rates: dict[str, float]) -> list[dict[str, Any]]:
    return [{name: figures(rate) for name, rate in one.items()} for one in rates]


# The second round runs on a machine that is half as fast.
TWO = rounds(
    {"paretoserve, as it is": 300.0, "a, one by one": 150.0, "a, batched": 200.0, "b, one by one": 100.0},
    {"paretoserve, as it is": 150.0, "a, one by one": 80.0, "a, batched": 100.0, "b, one by one": 120.0},
)


def test_ratios_are_taken_within_rounds_so_that_a_slow_round_cancels_out() -> None:
    assert summarize(TWO)["peers"]["a"]["ours_over_it"] == {"median": 1.5, "least": 1.5, "most": 1.5}


def test_the_best_configuration_of_a_peer_counts() -> None:
    peer = summarize(TWO)["peers"]["a"]
    assert peer["configuration"] == "batched"
    assert peer["requests_per_s"] == {"median": 150.0, "least": 100.0, "most": 200.0}
    assert peer["not_200"] == 2


def test_the_fastest_peer_is_whoever_was_fastest_in_the_round() -> None:
    summary = summarize(TWO)
    assert summary["fastest_peer"] == "a"
    assert summary["ratio_to_fastest_peer"] == {"median": 1.375, "least": 1.25, "most": 1.5}


def test_who_was_not_measured_in_every_round_is_left_out() -> None:
    partly = rounds({"paretoserve, as it is": 2.0, "a, batched": 1.0, "b, batched": 1.0})
    partly += rounds({"paretoserve, as it is": 2.0, "a, batched": 1.0})
    assert list(summarize(partly)["peers"]) == ["a"]


def test_peers_stand_in_the_table_from_the_fastest_down_below_ours() -> None:
    servers = list(peers_table(summarize(TWO)).columns[0].cells)
    assert servers == ["paretoserve", "a", "b"]


def test_without_any_peer_ours_stands_alone() -> None:
    summary = summarize(rounds({"paretoserve, as it is": 2.0}))
    assert summary["peers"] == {}
    assert "ratio_to_fastest_peer" not in summary


def test_own_code_that_takes_lists_is_held_against_itself_and_litserve_and_is_no_peer() -> None:
    ours = {"paretoserve, as it is": 300.0, "litserve, one by one": 90.0, "litserve, batched": 100.0}
    own = {"paretoserve with own code, one by one": 120.0, "paretoserve with own code, batched": 240.0}
    summary = summarize(rounds(ours | own))
    assert (summary["fastest_peer"], list(summary["peers"])) == ("litserve", ["litserve"])
    assert summary["own_code"]["requests_per_s"]["median"] == 240.0
    assert summary["own_code"]["over_one_by_one"]["median"] == 2.0
    assert summary["own_code"]["over_litserve"]["median"] == 2.4
    assert list(peers_table(summary).columns[0].cells)[:2] == ["paretoserve", "paretoserve with own code"]
