"""Load one endpoint that is already running."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handlers.tasks.payload import input_of
from loadtest import campaign as generator
from loadtest.campaign import Campaign, CampaignEvent
from loadtest.generator.events import LevelDone
from loadtest.report.page import write_report
from loadtest.results.comparison import CandidateReport, Report, Run
from loadtest.results.errors import LoadTestError
from model_store.manifest import sha256_of
from paretoserve.campaigns.measure import Measured, rate_threshold_of, sentence, threshold_of
from paretoserve.campaigns.probe import probed
from paretoserve.campaigns.quality import PATH, write_bodies
from paretoserve.campaigns.settings import Load
from paretoserve.hosts.machine import describe_machine, describe_versions
from paretoserve.terminal.watch import Watch, watching
from recipes.data.rows import Columns, read_texts
from serving.headers import TARGET_VARIANT


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to post to, and which variant to ask for where there are several."""

    url: str
    path: str = PATH
    variant: str | None = None

    @property
    def name(self) -> str:
        return self.variant or "endpoint"


@dataclass(frozen=True, slots=True)
class Requests:
    """What is sent, and when. `rate_per_s` is of an open loop; without it there are users who think."""

    data: str
    columns: Columns = Columns()
    rate_per_s: float | None = None
    seed: int = 0


def load_endpoint(endpoint: Endpoint, load: Load, requests: Requests, out: Path, plain: bool = False) -> Report:
    """Run one campaign against an endpoint and write its report to `out`; Ctrl-C leaves that of the levels so far.

    Raises:
        ParetoServeError, LoadTestError: the data cannot be read, or the endpoint does not answer.
    """
    texts = read_texts(requests.data, requests.columns)
    bodies = write_bodies([input_of(*text) for text in texts], 1, out / "bodies.jsonl")
    headers = {TARGET_VARIANT: endpoint.variant} if endpoint.variant else {}
    campaign = load.campaign(endpoint.url, bodies, endpoint.path, headers=headers, seed=requests.seed)
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
        report = _report(endpoint, load, requests, measured.run, len(texts), bodies)
        if levels or measured.run.common_rate:
            write_report(report, out)
    return report


def _measure(campaign: Campaign, load: Load, requests: Requests, out: Path, measured: Measured, watch: Watch) -> None:
    if requests.rate_per_s is not None:
        measured.add(common_rate=generator.run_at_rate(campaign, requests.rate_per_s, load.rate_s, out, watch.see))
        return
    if campaign.levels == "auto":
        watch.do("probing")
        campaign = probed(campaign, None, load.probe_s, out / "probe")
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


def _report(endpoint: Endpoint, load: Load, requests: Requests, run: Run, texts: int, bodies: Path) -> Report:
    return Report(
        candidates=(CandidateReport(endpoint.name, endpoint.name, "", (run,)),),
        think_time_s=load.think_time_s,
        common_rate_per_s=requests.rate_per_s,
        slo=load.slo,
        seed=requests.seed,
        conditions={
            "Endpoint": f"{endpoint.url}{endpoint.path}",
            "Data": f"{texts} texts, one per request",
            "Data hash": sha256_of(bodies)[:16],
            "Machine of the load generator": describe_machine()["Processor"],
            "Versions": describe_versions(("paretoserve", "locust")),
            "Seed": str(requests.seed),
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        title=f"Load on {endpoint.url}",
    )
