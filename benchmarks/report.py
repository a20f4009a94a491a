"""`docs/performance.md`, rendered from what the benchmarks left behind; no figure in it is typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.places import RESULTS, ROOT
from benchmarks.harness.results import Result, markdown_table, spread_text
from benchmarks.hostile.sections import fuzz_section, hostile_section, soak_section

PAGE = ROOT / "docs" / "performance.md"

HEAD = """# Performance

What the server adds to its engine, how it compares with other servers, and what it does when it is asked too much.
Each table is of one run, its ratios are of figures taken side by side in the same round, and given as the median with
the least and the most of all rounds. Not all are of the same machine: the conditions below each say of which, and
figures of one do not compare with those of another. `make bench` runs all of it again but what needs the
images (`make images`) or a clone at an older commit (`python -m benchmarks against --old CLONE`); a single benchmark is
run by the command under its table.
"""


def render(folder: Path = RESULTS) -> str:
    """The whole page; a benchmark that has not been run is left out."""
    found = {path.stem: msgspec.json.decode(path.read_bytes(), type=Result) for path in folder.glob("*.json")}
    sections = [_section(found[name], *_SECTIONS[name]) for name in _SECTIONS if name in found]
    return "\n".join([HEAD, *sections])


def _section(result: Result, title: str, body: Callable[[Result], str]) -> str:
    machine = ", ".join(f"{key.lower()}: {value}" for key, value in result.machine.items())
    settings = "; ".join(f"{key.replace('_', ' ')}: {_value(value)}" for key, value in result.settings.items())
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    return "\n".join(
        [
            f"## {title}",
            "",
            body(result),
            f"`{result.command}`, {result.created[:10]}.",
            "",
            f"<details><summary>Conditions</summary>\n\n{settings}.\n\n{machine}.\n\n{versions}.\n\n</details>",
            "",
        ]
    )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _overhead(result: Result) -> str:
    head = (
        "Engine",
        "served, requests/s",
        "of the engine alone, packed in arrival order",
        "of the engine alone, one by one",
        "of the engine alone, best order",
        "one client: median time over the engine's",
    )
    rows = [
        (
            backend,
            spread_text(one["requests_per_s"], 0),
            spread_text(one["of_the_engine_packed_in_arrival_order"]),
            spread_text(one["of_the_engine_one_by_one"]),
            spread_text(one["of_the_engine_in_the_best_order"]),
            spread_text(one["over_the_engine_p50_ms"], 2, " ms"),
        )
        for backend, one in result.summary.items()
    ]
    return (
        "The engine alone runs the same sentences in the same minute on the same core, tokenized beforehand. The best "
        "order is known to nobody who has to answer requests as they come. With one client, engine and server take "
        "turns of 40 sentences, and each sentence is compared with itself.\n\n" + markdown_table(head, rows)
    )


def _overload(result: Result) -> str:
    head = (
        "Load, times capacity",
        "answered in time, of capacity",
        "neither 200 nor 429",
        "429 without Retry-After",
        "429 after, p50 / p99",
        "memory grew by",
    )
    rows = [
        (
            times,
            f"{one['answered_in_time_of_capacity']:.1%}",
            str(one["neither_answered_nor_refused"]),
            str(one["refused_without_retry_after"]),
            f"{one['refusal']['p50_ms']:.1f} / {one['refusal']['p99_ms']:.1f} ms",
            f"{one['memory_growth_mib']:.1f} MiB",
        )
        for times, one in result.summary.items()
    ]
    return (
        "An open loop: requests arrive at random, whether or not others are answered. Capacity is what 16 clients "
        "that wait for their answers got just before. In time is within the queue deadline, as the client sees it.\n\n"
        + markdown_table(head, rows)
    )


def _kills(result: Result) -> str:
    one = result.summary
    again = one["seconds_until_ready_again"]
    not_ready, left = one.get("not_ready_after_s", []), one.get("left_after_the_front_s_death")
    rows = [
        ("kills", str(one["kills"])),
        ("neither 200 nor 503", str(one["neither_200_nor_503"])),
        ("503 without Retry-After", str(one["503_without_retry_after"])),
        ("slowest answer", f"{one['slowest_answer_s']:.2f} s"),
        ("not ready any more after", f"at most {1000 * max(not_ready):.0f} ms" if not_ready else "not measured"),
        ("ready again after", f"{min(again):.1f}-{max(again):.1f} s" if again else "none"),
        ("processes left 1 s after `kill -9` of the front", "not measured" if left is None else str(left)),
    ]
    head = ("`kill -9` under load", "")
    return "Of the only worker, or of the process that waits beside it, at random moments.\n\n" + markdown_table(
        head, rows
    )


def _cores(result: Result) -> str:
    rows = [
        ("requests/s", spread_text(result.summary["requests_per_s"])),
        ("requests per second of processor time", spread_text(result.summary["requests_per_cpu_s"])),
    ]
    return "The load client shares the second core, which takes a little of it.\n\n" + markdown_table(
        ("Two cores to one", "ratio"), rows
    )


def _front(result: Result) -> str:
    rows = [(connections, spread_text(one, 0)) for connections, one in result.summary.items()]
    return "The HTTP front on one core with a worker behind it that answers at once.\n\n" + markdown_table(
        ("Connections", "requests/s"), rows
    )


def _peers(result: Result) -> str:
    summary = result.summary
    ours = summary["ours"]
    head = ("Server", "its faster configuration", "requests/s", "ours over it", "p95", "one client, p50")
    rows = [("**ours**", ours["configuration"], spread_text(ours["requests_per_s"], 0), "1", *_times(ours))]
    rows += [
        (
            name,
            one["configuration"],
            spread_text(one["requests_per_s"], 0),
            spread_text(one["ours_over_it"]),
            *_times(one),
        )
        for name, one in summary["peers"].items()
    ]
    own = f"\n{_own_code(summary['own_code'])}\n" if "own_code" in summary else ""
    skipped = "".join(f"\nNot measured: {name}: {why}\n" for name, why in result.settings.get("skipped", {}).items())
    return (
        f"{spread_text(summary['ratio_to_fastest_peer'])} times the requests a second of the fastest of them in the "
        "same round. All serve the same ONNX file with the same settings of the engine, tokenizer and sentences on one "
        f"core to closed-loop clients on another.\n\n{markdown_table(head, rows)}{own}{skipped}"
    )


def _own_code(figures: dict[str, Any]) -> str:
    over = [("over_one_by_one", "that one by one"), ("over_litserve", "LitServe's with `batch` and `unbatch`")]
    told = " and ".join(f"{spread_text(figures[name])} times {what}" for name, what in over if name in figures)
    rate = spread_text(figures["requests_per_s"], 0)
    return f"The same model as own code with `predict_batch_fn` answers {rate} requests a second, {told}."


def _times(figures: dict[str, Any]) -> tuple[str, str]:
    return f"{figures['p95_ms']['median']:.0f} ms", f"{figures['one_client_p50_ms']['median']:.1f} ms"


def _start(result: Result) -> str:
    head = ("Engine", "from the worker's start until ready", "memory", "of it the artifact")
    rows = [
        (
            backend,
            spread_text(one["start_s"], 1, " s"),
            spread_text(one["resident_mib"], 0, " MiB"),
            f"{one['artifact_mib']:.0f} MiB",
        )
        for backend, one in result.summary.items()
    ]
    return (
        "Imports, loading with each split of the cores, golden inputs, and what is measured of the engine. Memory is "
        "that of the worker's process.\n\n" + markdown_table(head, rows)
    )


def _multi_model(result: Result) -> str:
    found = result.summary
    return (
        f"A model is ready {spread_text(found['load_s'], 1, ' s')} after it was asked for, the very first one after "
        f"{found['first_load_s']:.1f} s: onnxruntime, its calibration kept from an earlier load, its golden inputs "
        f"checked. At the end, all unloaded, the server has {found['end_mib']:.1f} MiB; at its start it had "
        f"{found['start_mib']:.1f} MiB.\n"
    )


def _containers(result: Result) -> str:
    rows = [
        (
            backend,
            spread_text(one["start_s"], 1, " s"),
            spread_text(one["inside_per_s"], 0),
            spread_text(one["inside_over_outside"]),
        )
        for backend, one in result.summary["backends"].items()
    ]
    sizes = [
        (f"`paretoserve:{image}`", f"{one['mb_over_base']:.0f} MB") for image, one in result.summary["images"].items()
    ]
    return (
        "Both servers run at once on the same core and are asked in turns. A start is from `docker run` to the first "
        "200 of `/ping`, on all cores.\n\n"
        + markdown_table(("Engine", "start", "requests/s in the container", "of the same outside"), rows)
        + "\n"
        + markdown_table(("Image", "over its base"), sizes)
    )


def _sparse(result: Result) -> str:
    summary = result.summary
    head = ("Sparse over", "packed sentences", "fixed shape")
    rows = [
        (
            "itself, dense",
            spread_text(summary["sparse_over_its_own_dense"]),
            spread_text(summary["fixed_sparse_over_its_own_dense"]),
        ),
        ("ONNX Runtime, dense", spread_text(summary["sparse_over_dense_onnxruntime"]), "not measured"),
    ]
    speeds = [
        (
            name,
            *(spread_text(one[name], 1) if name in one else "not measured" for one in summary["texts_per_s"].values()),
        )
        for name in summary["texts_per_s"]["sentences"]
    ]
    return (
        f"How much faster DeepSparse is with 90 % of the weights pruned. {result.settings['model']}. The fixed shape "
        f"is {result.settings['fixed']}.\n\n{markdown_table(head, rows)}\n"
        + markdown_table(("Texts/s", "packed sentences", "fixed shape"), speeds)
    )


def _against(result: Result) -> str:
    head = ("Figure", "old", "new", "new over old", "95 % interval")
    rows = [
        (
            name,
            f"{one['old']:.4g}",
            f"{one['new']:.4g}",
            f"{one['ratio']:.3f}",
            "too few pairs" if one["low"] is None else f"{one['low']:.3f}-{one['high']:.3f}",
        )
        for name, one in result.summary.items()
    ]
    old, new = (result.settings[name][:12] for name in ("old", "new"))
    return (
        f"Commit {old} against {new} in alternating pairs, each with its own code, on the same variant. Old and new "
        "are medians; the ratio and its interval are of the pairs (Hodges-Lehmann, Wilcoxon's signed ranks).\n\n"
        + markdown_table(head, rows)
    )


_SECTIONS: dict[str, tuple[str, Callable[[Result], str]]] = {
    "overhead": ("Beside the engine alone", _overhead),
    "peers": ("Beside other servers", _peers),
    "overload": ("Asked too much", _overload),
    "kills": ("Workers that die", _kills),
    "hostile": ("Beside a hostile client", hostile_section),
    "fuzz": ("Spoiled requests", fuzz_section),
    "soak": ("An hour of good and bad traffic", soak_section),
    "soak-kills": ("The same while a worker is killed again and again", soak_section),
    "cores": ("A second core", _cores),
    "front": ("The front", _front),
    "start": ("A start", _start),
    "multi-model": ("Models that come and go", _multi_model),
    "containers": ("In a container", _containers),
    "sparse": ("Sparse weights", _sparse),
    "against": ("Against an earlier commit", _against),
}
