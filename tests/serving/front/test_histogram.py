"""Our histograms say what those of `prometheus_client` say of the same values."""

from collections.abc import Sequence

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.front.histogram import Histograms

BOUNDS = (0.5, 1.0, 2.5, 1000.0)
LABELS = ("variant", "backend")


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


VALUES = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 2000) | st.sampled_from(BOUNDS)))


@given(VALUES)
def test_what_is_exposed_is_what_the_published_library_exposes(values: Sequence[tuple[str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Histograms("seconds", "Text.", LABELS, BOUNDS, ours)
    published = prometheus_client.Histogram("seconds", "Text.", LABELS, buckets=BOUNDS, registry=theirs)
    for name, value in values:
        mine.labels(name, "x").observe(value)
        published.labels(name, "x").observe(value)
    assert samples(ours) == samples(theirs)


def test_what_is_removed_is_exposed_no_more_and_begins_anew() -> None:
    registry = CollectorRegistry()
    histograms = Histograms("seconds", "Text.", LABELS, BOUNDS, registry)
    for name in ("a", "b"):
        histograms.labels(name, "x").observe(1)
    histograms.remove_by_labels({"variant": "a"})
    assert {dict(labels)["variant"] for _, labels in samples(registry)} == {"b"}
    histograms.labels("a", "x").observe(3)
    assert registry.get_sample_value("seconds_count", {"variant": "a", "backend": "x"}) == 1


def test_the_same_labels_are_the_same_histogram() -> None:
    histograms = Histograms("seconds", "Text.", LABELS, BOUNDS, CollectorRegistry())
    assert histograms.labels("a", "x") is histograms.labels("a", "x")
    assert histograms.labels("a", "x") is not histograms.labels("a", "y")
