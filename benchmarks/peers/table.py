"""The summary of the benchmark against other servers, for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmarks.harness.results import spread_text
from benchmarks.peers.contestant import OURS, OWN_CODE


def peers_table(summary: Mapping[str, Any]) -> Table:
    """A row per server at its best: the median over the rounds, and in brackets the least and the most."""
    table = Table("server", "at its best", header_style="bold")
    for header in ("requests/s", "ours over it", "p95, ms", "one client p50, ms", "not 200"):
        table.add_column(header, justify="right")
    rows = {OURS: summary["ours"]} if "ours" in summary else {}
    rows |= {OWN_CODE: summary["own_code"]} if "own_code" in summary else {}
    for name, figures in (rows | summary["peers"]).items():
        ratio = figures.get("ours_over_it")
        table.add_row(
            name,
            figures["configuration"],
            spread_text(figures["requests_per_s"], 0),
            spread_text(ratio) if ratio else "",
            spread_text(figures["p95_ms"], 0),
            spread_text(figures["one_client_p50_ms"]),
            str(figures["not_200"]),
        )
    return table
