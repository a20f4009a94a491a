"""Load one endpoint that is already running."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handlers.tasks.payload import input_of
from loadtest.report.page import write_report
from loadtest.results.comparison import CandidateReport, Report
from paretoserve.campaigns.compare import Load, one_run, run_with_progress
from paretoserve.campaigns.quality import PATH, write_bodies
from paretoserve.hosts.machine import describe_machine, describe_versions
from recipes.data.rows import Columns, read_texts
from serving.headers import TARGET_VARIANT


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to post to, and which variant to ask for where there are several."""

    url: str
    path: str = PATH
    variant: str | None = None


def load_endpoint(endpoint: Endpoint, load: Load, data: str, columns: Columns, out: Path) -> Report:
    """Run one campaign against an endpoint with the texts of `data`, and write its report to `out`.

    Raises:
        ParetoServeError, LoadTestError: the data cannot be read, or the endpoint does not answer.
    """
    texts = read_texts(data, columns)
    bodies = write_bodies([input_of(*text) for text in texts], 1, out / "bodies.jsonl")
    headers = {TARGET_VARIANT: endpoint.variant} if endpoint.variant else {}
    campaign = load.campaign(endpoint.url, bodies, endpoint.path, headers=headers)
    results = run_with_progress(campaign, out, f"Loading {endpoint.url}")
    name = endpoint.variant or "endpoint"
    report = Report(
        candidates=(CandidateReport(name, name, "", (one_run(results),)),),
        think_time_s=load.think_time_s,
        conditions={
            "Endpoint": f"{endpoint.url}{endpoint.path}",
            "Data": f"{len(texts)} texts, one per request",
            "Machine of the load generator": describe_machine()["Processor"],
            "Versions": describe_versions(("paretoserve", "locust")),
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        title=f"Load on {endpoint.url}",
    )
    write_report(report, out)
    return report
