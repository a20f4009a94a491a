"""Load one endpoint that somebody else runs."""

from datetime import UTC, datetime
from pathlib import Path

from loadtest.analysis import throttling_threshold
from loadtest.campaign import Campaign
from loadtest.comparison import CandidateReport, Report
from loadtest.report import write_report
from model_store.data import Columns, read_texts
from paretoserve.accuracy import request_body
from paretoserve.compare import Levels, run_with_progress
from paretoserve.machine import describe_machine, describe_versions

TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"


def load_endpoint(
    url: str,
    path: str,
    variant: str | None,
    data: str,
    columns: Columns,
    levels: Levels,
    think_time_s: float,
    out: Path,
) -> Report:
    """Run one campaign against `url` and write its report to `out`.

    Raises:
        ParetoServeError, LoadTestError: the data cannot be read, or the endpoint does not answer.
    """
    texts = read_texts(data, columns)
    out.mkdir(parents=True, exist_ok=True)
    bodies = out / "bodies.jsonl"
    bodies.write_bytes(b"\n".join(request_body(text, pair) for text, pair in texts) + b"\n")
    campaign = Campaign(
        url=url,
        bodies=bodies,
        path=path,
        headers={TARGET_VARIANT: variant} if variant else {},
        levels=levels,
        think_time_s=think_time_s,
    )
    results = run_with_progress(campaign, out, f"Loading {url}")
    name = variant or "endpoint"
    report = Report(
        candidates=(CandidateReport(name, name, "", results, throttling_threshold(results)),),
        think_time_s=think_time_s,
        conditions={
            "Endpoint": f"{url}{path}",
            "Data": f"{len(texts)} texts, one per request",
            "Machine of the load generator": describe_machine()["Processor"],
            "Versions": describe_versions(("paretoserve", "locust")),
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        title=f"Load on {url}",
    )
    write_report(report, out)
    return report
