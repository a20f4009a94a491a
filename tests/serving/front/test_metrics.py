from itertools import pairwise

from prometheus_client import CollectorRegistry

from serving.front.metrics import Metrics
from serving.front.refusals import Refusal

COUNTERS = {
    "requests_total": ("code",),
    "rejected_total": ("reason",),
    "tokens_total": (),
    "padding_tokens_total": (),
    "worker_restarts_total": (),
    "worker_cpu_seconds_total": (),
}
HISTOGRAMS = [
    "request_duration_seconds",
    "queue_duration_seconds",
    "tokenize_duration_seconds",
    "batch_duration_seconds",
    "inference_duration_seconds",
    "encode_duration_seconds",
    "batch_tokens",
    "batch_requests",
]
GAUGES = [
    "in_flight_requests",
    "queue_tokens",
    "worker_ready",
    "model_load_seconds",
    "worker_resident_memory_bytes",
]


def exposed() -> tuple[Metrics, CollectorRegistry]:
    metrics = Metrics()
    mine = metrics.of("int8", "openvino")
    mine.answered(200, 0.01)
    mine.refused(Refusal.QUEUE_FULL)
    return metrics, metrics.registry


def test_names_and_labels_are_those_that_dashboards_know() -> None:
    _, registry = exposed()
    found = {
        sample.name.removeprefix("paretoserve_"): set(sample.labels)
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith("paretoserve_") and not sample.name.endswith(("_created", "_sum", "_count"))
    }
    ours = {"variant", "backend"}
    assert found == (
        {name: {*ours, *labels} for name, labels in COUNTERS.items()}
        | {f"{name}_bucket": {*ours, "le"} for name in HISTOGRAMS}
        | dict.fromkeys(GAUGES, ours)
    )


def test_buckets_are_fine_enough_to_read_quantiles_from() -> None:
    _, registry = exposed()
    for family in registry.collect():
        bounds = [float(s.labels["le"]) for s in family.samples if s.name.endswith("_bucket")][:-1]
        # Whole numbers up to eight have buckets of their own, which no ratio could make finer.
        start = 8.0 if family.name == "paretoserve_batch_requests" else 0.0
        steps = [(low, high) for low, high in pairwise(bounds) if low >= start]
        assert all(low < high <= 1.2505 * low for low, high in steps), family.name


def test_variants_are_counted_apart() -> None:
    metrics, registry = exposed()
    other = metrics.of("dense", "torch")
    other.answered(429, 0.001)
    other.in_flight_requests.inc()

    def value(name: str, variant: str, backend: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"paretoserve_{name}", {"variant": variant, "backend": backend} | labels)

    assert value("requests_total", "int8", "openvino", code="200") == 1
    assert value("requests_total", "dense", "torch", code="429") == 1
    assert value("requests_total", "dense", "torch", code="200") is None
    assert value("rejected_total", "int8", "openvino", reason="queue full") == 1
    assert value("in_flight_requests", "dense", "torch") == 1
    assert value("in_flight_requests", "int8", "openvino") == 0


def test_what_the_front_itself_uses_goes_by_prometheus_own_names() -> None:
    _, registry = exposed()
    found = [registry.get_sample_value(f"process_{name}") for name in ("cpu_seconds_total", "resident_memory_bytes")]
    assert all(value and value > 0 for value in found)


def test_two_servers_in_one_process_do_not_share_their_metrics() -> None:
    (first, registry), (_, other) = exposed(), exposed()
    first.of("int8", "openvino").answered(200, 0.01)
    labels = {"variant": "int8", "backend": "openvino", "code": "200"}
    name = "paretoserve_requests_total"
    assert (registry.get_sample_value(name, labels), other.get_sample_value(name, labels)) == (2, 1)
