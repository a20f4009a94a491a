"""All metrics, their names and their buckets, in one place. Seconds and bytes are the units."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from serving.front.histogram import Histogram, Histograms
from serving.front.refusals import Refusal

_LABELS = ("variant", "backend")


def _geometric(first: float, last: float, ratio: float = 1.25) -> tuple[float, ...]:
    """Buckets whose bounds grow by `ratio`, so that a quantile read from them is off by less than that."""
    bounds = [first]
    while bounds[-1] < last:
        bounds.append(float(f"{bounds[-1] * ratio:.4g}"))
    return tuple(bounds)


_SECONDS = _geometric(0.0002, 30.0)
_TOKENS = _geometric(4, 8192)
_REQUESTS = tuple(float(n) for n in (1, 2, 3, 4, 5, 6, 7, 8)) + _geometric(10, 256)


class Metrics:
    """The server's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"paretoserve_{name}", text, (*_LABELS, *labels), registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"paretoserve_{name}", text, _LABELS, registry=registry)

        def histogram(name: str, text: str, bounds: tuple[float, ...]) -> Histograms:
            return Histograms(f"paretoserve_{name}", text, _LABELS, bounds, registry)

        self.requests = counter("requests_total", "Requests answered, by status code.", "code")
        self.rejected = counter("rejected_total", "Requests refused, by reason.", "reason")
        self.tokens = counter("tokens_total", "Tokens given to the engine, padding not counted.")
        self.padding_tokens = counter("padding_tokens_total", "Padding tokens given to the engine.")
        self.worker_restarts = counter("worker_restarts_total", "Workers started again after they ended.")
        self.worker_cpu = counter("worker_cpu_seconds_total", "Processor time that the workers used.")
        self.request_duration = histogram("request_duration_seconds", "From arrival to answer.", _SECONDS)
        self.queue_duration = histogram("queue_duration_seconds", "Waiting to be decoded and for the engine.", _SECONDS)
        self.tokenize_duration = histogram("tokenize_duration_seconds", "Decoding and tokenizing.", _SECONDS)
        self.batch_duration = histogram("batch_duration_seconds", "Choosing and laying out one call.", _SECONDS)
        self.inference_duration = histogram("inference_duration_seconds", "One call of the engine.", _SECONDS)
        self.encode_duration = histogram("encode_duration_seconds", "Writing the answers of one call.", _SECONDS)
        self.batch_tokens = histogram("batch_tokens", "Tokens in one call of the engine.", _TOKENS)
        self.batch_requests = histogram("batch_requests", "Requests in one call of the engine.", _REQUESTS)
        self.in_flight_requests = gauge("in_flight_requests", "Requests admitted and not yet answered.")
        self.queue_tokens = gauge("queue_tokens", "Tokens waiting for the engine.")
        self.worker_ready = gauge("worker_ready", "Workers that are ready to answer.")
        self.model_load_seconds = gauge("model_load_seconds", "How long the last load of the model took.")
        self.worker_resident_memory = gauge("worker_resident_memory_bytes", "Memory resident in the workers.")
        ProcessCollector(registry=registry)  # of the front; workers say with their beat what they use

    def of(self, variant: str, backend: str) -> "VariantMetrics":
        labels = (variant, backend)
        return VariantMetrics(
            requests=self.requests,
            rejected=self.rejected,
            labels=labels,
            tokens=self.tokens.labels(*labels),
            padding_tokens=self.padding_tokens.labels(*labels),
            worker_restarts=self.worker_restarts.labels(*labels),
            worker_cpu=self.worker_cpu.labels(*labels),
            request_duration=self.request_duration.labels(*labels),
            queue_duration=self.queue_duration.labels(*labels),
            tokenize_duration=self.tokenize_duration.labels(*labels),
            batch_duration=self.batch_duration.labels(*labels),
            inference_duration=self.inference_duration.labels(*labels),
            encode_duration=self.encode_duration.labels(*labels),
            batch_tokens=self.batch_tokens.labels(*labels),
            batch_requests=self.batch_requests.labels(*labels),
            in_flight_requests=self.in_flight_requests.labels(*labels),
            queue_tokens=self.queue_tokens.labels(*labels),
            worker_ready=self.worker_ready.labels(*labels),
            model_load_seconds=self.model_load_seconds.labels(*labels),
            worker_resident_memory=self.worker_resident_memory.labels(*labels),
        )

    def forget(self, variant: str, backend: str) -> None:
        """Expose no more how a variant is that is not served any more; what it has done stays counted."""
        for gauge in (
            self.in_flight_requests,
            self.queue_tokens,
            self.worker_ready,
            self.model_load_seconds,
            self.worker_resident_memory,
        ):
            gauge.remove(variant, backend)

    def forget_all(self, variant: str, backend: str) -> None:
        """Expose nothing of a variant any more, where names come and go without an end."""
        for metric in vars(self).values():
            if metric is not self.registry:
                metric.remove_by_labels({"variant": variant, "backend": backend})

    def answered_for_no_variant(self, status: int) -> None:
        """Count a request for a variant that is not served; the names that clients think of would have no end."""
        self.requests.labels("unknown", "", str(status)).inc()


@dataclass(frozen=True, slots=True)
class VariantMetrics:
    """The metrics of one served variant, its labels filled in."""

    requests: Counter
    rejected: Counter
    labels: tuple[str, str]
    tokens: Counter
    padding_tokens: Counter
    worker_restarts: Counter
    worker_cpu: Counter
    request_duration: Histogram
    queue_duration: Histogram
    tokenize_duration: Histogram
    batch_duration: Histogram
    inference_duration: Histogram
    encode_duration: Histogram
    batch_tokens: Histogram
    batch_requests: Histogram
    in_flight_requests: Gauge
    queue_tokens: Gauge
    worker_ready: Gauge
    model_load_seconds: Gauge
    worker_resident_memory: Gauge
    # Finding a counter by its labels costs more than counting.
    by_status: dict[int, Counter] = field(default_factory=dict)
    by_reason: dict[Refusal, Counter] = field(default_factory=dict)

    def answered(self, status: int, seconds: float) -> None:
        if status not in self.by_status:
            self.by_status[status] = self.requests.labels(*self.labels, str(status))
        self.by_status[status].inc()
        self.request_duration.observe(seconds)

    def refused(self, reason: Refusal) -> None:
        if reason not in self.by_reason:
            self.by_reason[reason] = self.rejected.labels(*self.labels, reason)
        self.by_reason[reason].inc()
