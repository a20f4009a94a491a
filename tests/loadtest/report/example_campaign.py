"""A whole campaign with plain formulas behind its numbers: what a report of every feature looks like."""

from dataclasses import replace
from functools import partial
from math import exp
from random import Random

from loadtest.results.comparison import CandidateReport, Quality, Report, Run
from loadtest.results.levels import LevelResult, Window
from loadtest.results.slo import Slo
from loadtest.results.threshold import Threshold
from loadtest.results.visits import Slice
from loadtest.statistics.accuracy import encode_right
from loadtest.statistics.threshold import throttling_threshold

EXAMPLES = 872
THINK_S = 1.0
DEADLINE_S = 0.25
COMMAND = (
    "paretoserve compare --store store/sst2 --candidates dense@onnxruntime,nas@onnxruntime,int8@openvino,jpqd@openvino"
    " --data data/dev.tsv --slo p95=200ms --price-per-hour 0.34 --blocks 3 --out runs/compare"
)


def example_level(service_ms: float, users: float, holds: float, start_s: float, draw: Random) -> LevelResult:
    """A level of ten seconds on a server with this service time that throttles at `holds` users."""
    load = users / holds
    noise = partial(draw.uniform, 0.97, 1.03)
    queued_ms = service_ms * min(12.0, 0.6 * load**4 + 0.1) * noise()
    p50_ms = service_ms + queued_ms + 1.2
    share = min(0.6, 0.01 * exp(24 * (load - 1))) if load > 0.85 else 0.0
    offered = users / (THINK_S + p50_ms / 1e3)
    attempts = round(offered * 10)
    rejected = round(attempts * share * noise())
    phases = {"transport": 0.7, "wire": 0.3, "tokenize": 0.4, "queue": queued_ms, "batch": 0.5 * load}
    mean_ms = 1.04 * p50_ms
    phases |= {"infer": service_ms * 0.93, "encode": 0.1}
    phases["unattributed"] = mean_ms - sum(phases.values())
    seconds = tuple(
        Slice(attempts // 10, round(rejected / 10 + draw.uniform(-1, 1)) if rejected else 0) for _ in range(10)
    )
    return LevelResult(
        at=users,
        duration_s=10.0,
        attempts=attempts,
        ok=attempts - rejected,
        rejected=rejected,
        failed=0,
        timeout=0,
        censored=1,
        late=0,
        offered_per_s=offered,
        ok_per_s=(attempts - rejected) / 10,
        mean_ms=mean_ms,
        p50_ms=p50_ms,
        p95_ms=1.7 * p50_ms * noise(),
        p99_ms=2.3 * p50_ms if attempts > 368 else None,
        think_ms=1000 * THINK_S,
        generator_cpu_share=0.05 + 0.0035 * users,
        send_lag_p99_ms=0.3 + 0.008 * users,
        loop_lag_p99_ms=0.2 + 0.004 * users,
        little_error=0.01,
        phases_ms=phases,
        slices=tuple(Slice(one.attempts, max(0, one.bad)) for one in seconds),
        windows=(Window(start_s, start_s + 10.0),),
    )


def example_run(service_ms: float, holds: float, block: int, place: int, rate_per_s: float) -> Run:
    """One run: a search, the common rate, and the highest rate within the objective."""
    draw = Random(f"{service_ms} {holds} {block}")
    held = holds * draw.uniform(0.98, 1.02)
    users = sorted({1, 8, 16, 32, 64, *(round(held * part) for part in (0.8, 0.94, 0.98, 1.02, 1.08))})
    levels = [example_level(service_ms, count, held, 14.0 * step, draw) for step, count in enumerate(users)]
    highest = throttling_threshold(levels)
    common = replace(example_level(service_ms, 0.6 * holds, held, 200.0, draw), at=rate_per_s, think_ms=None)
    within = 0.9 * held / THINK_S
    return Run(
        block=block,
        place=place,
        started=f"2026-03-0{block + 1}T0{place}:15:00Z",
        levels=tuple(levels),
        threshold=highest,
        common_rate=common,
        rate_threshold=Threshold(
            within, (0.97 * within, 1.03 * within), f"{within:.0f}", (0.96 * within, 1.04 * within)
        ),
        cpu_s_per_1000=1.05 * service_ms,
        steal_share=0.002 * (1 + block),
    )


def example_quality(right: int, wrong_at: int) -> Quality:
    """So many of the examples right; which ones are wrong depends on the place to begin at."""
    wrong = EXAMPLES - right
    answers = [not (wrong_at <= place < wrong_at + wrong) for place in range(EXAMPLES)]
    value = right / EXAMPLES
    interval = (value - 0.021, value + 0.018)
    return Quality(
        value, "accuracy", EXAMPLES, "sst2/dev", interval, None, {"F1": value + 0.004}, encode_right(answers)
    )


def example_candidate(name: str, service_ms: float, holds: float, right: int, size_mb: float) -> CandidateReport:
    variant, backend = name.split("@")
    runs = tuple(example_run(service_ms, holds, block, (block + len(name)) % 5, 40.0) for block in range(3))
    return CandidateReport(
        name=name,
        variant=variant,
        backend=backend,
        runs=runs,
        quality=example_quality(right, 100 + len(name)),
        size_bytes=round(size_mb * 1e6),
        parameters=round(size_mb * 250_000),
        nonzero=round(size_mb * 240_000),
        precision="int8" if variant in ("int8", "jpqd") else "float32",
        macs_per_token=round(size_mb * 80_000),
        made_in_s=12 * size_mb,
    )


def doubted(candidate: CandidateReport, reason: str) -> CandidateReport:
    """The same with one level of its first run that a gate refused."""
    first, *others = candidate.runs
    levels = list(first.levels)
    levels[3] = replace(levels[3], doubts=(reason,), p95_ms=1.6 * (levels[3].p95_ms or 0))
    return replace(candidate, runs=(replace(first, levels=tuple(levels)), *others))


def example_campaign() -> Report:
    """Four candidates in three blocks with a canary, an objective, a price, doubts and a run that failed."""
    dense = example_candidate("dense@onnxruntime", 14.0, 70.0, 785, 90.9)
    nas = doubted(example_candidate("nas@onnxruntime", 10.5, 95.0, 783, 61.2), "the generator used 86% of a core.")
    int8 = example_candidate("int8@openvino", 6.0, 168.0, 781, 24.1)
    jpqd = example_candidate("jpqd@openvino", 5.2, 190.0, 742, 18.7)
    failed = Run(2, 4, "2026-03-03T04:15:00Z", failure="The server ended while it loaded the model; see server.log.")
    jpqd = replace(jpqd, runs=(*jpqd.runs[:2], failed), dropped="It loses clearly more quality than may be lost.")
    return Report(
        candidates=(dense, doubted(nas, "Little's law is off by 9%."), int8, jpqd),
        think_time_s=THINK_S,
        canary=tuple(example_run(14.01, 70.5, block, 4, 40.0) for block in range(3)),
        common_rate_per_s=40.0,
        slo=Slo(95, 200),
        queue_deadline_s=DEADLINE_S,
        price_per_hour=0.34,
        blocks=3,
        seed=7,
        conditions={
            "Model": "sst2",
            "Data": "sst2/dev, 872 texts, 1 per request, sha256 5f1c0d2e9a",
            "Processor": "Intel Xeon, 2 cores",
            "Order": "block 1: nas, dense, jpqd, canary, int8; block 2: int8, canary, dense, nas, jpqd",
            "Commit": "0123abcd",
            "Versions": "paretoserve 0.9.0, locust 2.46.3",
            "Command": COMMAND,
        },
        created="2026-03-03T05:00:00Z",
        title="sst2: 4 candidates",
    )
