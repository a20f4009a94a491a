"""Load one endpoint that is already running."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from handlers.tasks.payload import input_of
from loadtest import campaign as generator
from loadtest.campaign import Campaign, CampaignEvent
from loadtest.generator.events import LevelDone
from loadtest.plan.settings import read_bodies
from loadtest.plan.targets import parse_target
from loadtest.report.page import write_report
from loadtest.results.comparison import CandidateReport, Report, Run
from loadtest.results.errors import LoadTestError
from loadtest.sagemaker.address import runtime_address
from model_store.manifest import sha256_of
from paretoserve.campaigns.measure import Measured, rate_threshold_of, sentence, threshold_of
from paretoserve.campaigns.probe import probed
from paretoserve.campaigns.quality import write_bodies
from paretoserve.campaigns.settings import Load
from paretoserve.hosts.machine import describe_machine, describe_versions
from paretoserve.terminal.watch import Watch, watching
from recipes.data.rows import Columns, read_texts
from serving.headers import TARGET_VARIANT


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to post to, and which variant to ask for where there are several.

    `target` is the interface that it has (see `loadtest.plan.targets`), whose path is `path` unless that is given. A
    `url` of `sagemaker:ENDPOINT` stands for both.
    """

    url: str
    target: str = "invocations"
    path: str | None = None
    variant: str | None = None

    @property
    def name(self) -> str:
        return self.variant or "endpoint"


@dataclass(frozen=True, slots=True)
class Requests:
    """What is sent, when, and by how many processes.

    `rate_per_s` is of an open loop; without it there are users who think, spread over `workers` started here and
    `expect_workers` elsewhere.
    """

    data: str
    columns: Columns = Columns()
    rate_per_s: float | None = None
    arrivals: Literal["poisson", "constant"] = "poisson"
    workers: int = 0
    expect_workers: int = 0
    seed: int = 0


def load_endpoint(endpoint: Endpoint, load: Load, requests: Requests, out: Path, plain: bool = False) -> Report:
    """Run one campaign against an endpoint and write its report to `out`; Ctrl-C leaves that of the levels so far.

    Raises:
        ParetoServeError, LoadTestError: the data cannot be read, the endpoint does not answer, or the settings exclude
            one another.
    """
    if requests.rate_per_s is not None and (requests.workers or requests.expect_workers):
        raise LoadTestError("A rate is sent by one process; leave out --workers and --expect-workers, or --rate.")
    endpoint = _found(endpoint)
    texts = read_texts(requests.data, requests.columns)
    bodies = write_bodies([input_of(*text) for text in texts], 1, out / "bodies.jsonl")
    target = parse_target(endpoint.target)
    bodies.write_bytes(b"".join(body + b"\n" for body in target.bodies(read_bodies(bodies))))
    campaign = load.campaign(
        endpoint.url,
        bodies,
        endpoint.path or target.path,
        headers={TARGET_VARIANT: endpoint.variant} if endpoint.variant else {},
        sagemaker_region=runtime_address().region if target.is_sagemaker else None,
        seed=requests.seed,
        arrivals=requests.arrivals,
        workers=requests.workers,
        expect_workers=requests.expect_workers,
    )
    measured = Measured(Run(0, 0, datetime.now(UTC).isoformat(timespec="seconds")))
    try:
        with watching(f"Load on {endpoint.url}", plain=plain) as watch:
            watch.begin(endpoint.name, "", None)
            _measure(campaign, load, requests, out, measured, watch)
    except LoadTestError as exc:
        if not measured.levels:
            raise
        measured.add(failure=sentence(exc))
    finally:
        levels = tuple(measured.levels.values())
        measured.add(levels=levels, threshold=threshold_of(levels))
        report = _report(endpoint, campaign, load, requests, measured.run, len(texts))
        if levels or measured.run.common_rate:
            write_report(report, out)
    return report


def _found(endpoint: Endpoint) -> Endpoint:
    """With the address of SageMaker's runtime where that is what is named."""
    if not endpoint.url.startswith("sagemaker:"):
        return endpoint
    return replace(endpoint, url=runtime_address().url, target=endpoint.url)


def _measure(campaign: Campaign, load: Load, requests: Requests, out: Path, measured: Measured, watch: Watch) -> None:
    if requests.rate_per_s is not None:
        measured.add(common_rate=generator.run_at_rate(campaign, requests.rate_per_s, load.rate_s, out, watch.see))
        return
    if campaign.levels == "auto":
        watch.do("probing")
        campaign = probed(campaign, None, load.probe_s, out / "probe")
    if requests.expect_workers:
        watch.do(f"waiting for {requests.expect_workers} workers to connect to port {campaign.master_port}")
    generator.run_campaign(campaign, out, _listener(measured, watch))
    if load.slo:
        watch.do(f"the highest rate within {load.slo}")
        start_per_s = max((level.ok_per_s for level in measured.levels.values()), default=1.0) / 2
        rates = generator.search_rate(campaign, load.slo, start_per_s, out / "slo", watch.see)
        measured.add(rates=rates, rate_threshold=rate_threshold_of(rates, load.slo))


def _listener(measured: Measured, watch: Watch) -> Callable[[CampaignEvent], None]:
    def on_event(event: CampaignEvent) -> None:
        watch.see(event)
        if isinstance(event, LevelDone):
            measured.levels[event.result.at] = event.result

    return on_event


def _report(endpoint: Endpoint, campaign: Campaign, load: Load, requests: Requests, run: Run, texts: int) -> Report:
    return Report(
        candidates=(CandidateReport(endpoint.name, endpoint.name, "", (run,)),),
        think_time_s=load.think_time_s,
        common_rate_per_s=requests.rate_per_s,
        slo=load.slo,
        seed=requests.seed,
        conditions={
            "Endpoint": f"{endpoint.url}{campaign.path}",
            "Data": f"{texts} texts, one per request",
            "Data hash": sha256_of(campaign.bodies)[:16],
            "Machine of the load generator": describe_machine()["Processor"],
            "Versions": describe_versions(("paretoserve", "locust")),
            "Seed": str(requests.seed),
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        title=f"Load on {endpoint.url}",
    )
