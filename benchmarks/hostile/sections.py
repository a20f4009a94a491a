"""What the hostile runs found, as sections of the page of results."""

from collections.abc import Mapping

from benchmarks.harness.results import Result, markdown_table, spread_text


def hostile_section(result: Result) -> str:
    head = ("One client sends without pause", "requests/s of the others", "p99 of the others", "it was answered")
    rows = [
        (
            name,
            spread_text(one["requests_per_s"]),
            spread_text(one["p99_ms"]),
            ", ".join(f"{count} times {status}" for status, count in sorted(one["hostile"].items())) or "nothing yet",
        )
        for name, one in result.summary.items()
    ]
    return (
        f"{result.settings['clients']} ordinary clients without think time on one core, beside one more client; ratios "
        "to the same clients undisturbed, in the same round.\n\n" + markdown_table(head, rows)
    )


def fuzz_section(result: Result) -> str:
    one = result.summary
    head = ("Requests", "answered wrongly, or not at all", "worker restarts", "seconds")
    row = (f"{one['requests']:,}", str(one["faults"]), str(one["worker_restarts"]), f"{one['seconds']:.0f}")
    kinds = ", ".join(f"{count:,} times {kind}" for kind, count in sorted(one["kinds"].items()))
    held = ", ".join(f"{name} {before} before, {after} after" for name, (before, after) in one["descriptors"].items())
    return f"{kinds}. Open descriptors: {held}.\n\n" + markdown_table(head, [row])


def soak_section(result: Result) -> str:
    one = result.summary
    head = ("Process", "least memory, MiB/h", "mean memory, MiB/h", "memory", "descriptors", "threads", "children")
    rows = [
        (
            name,
            _slope_text(one["least_memory_mib_per_hour"][name]),
            _slope_text(slope),
            *(
                " → ".join(f"{value:g}" for value in one[figure][name])
                for figure in ("resident_mib", "descriptors", "threads", "children")
            ),
        )
        for name, slope in one["memory_mib_per_hour"].items()
    ]
    kills = f", a worker killed {one['kills']} times" if one["kills"] else ""
    faults = ", ".join(f"{count} times {what}" for what, count in one["faults"].items()) or "none"
    return (
        f"{one['requests']:,} requests in {result.settings['seconds'] / 60:.0f} minutes, one in seven spoiled, one in "
        f"ten by a client that leaves{kills}; the first {result.settings['settle_s'] / 60:.0f} minutes do not count. "
        f"Wrong answers: {faults}. The slopes (Theil-Sen, 95 % interval) are of the least and of the mean memory of "
        "each minute: a server gives memory back twice a minute, and the least is what it cannot give back.\n\n"
        + markdown_table(head, rows)
    )


def _slope_text(slope: Mapping[str, float]) -> str:
    return f"{slope['slope']:+.2f} ({slope['low']:+.2f} to {slope['high']:+.2f})"
