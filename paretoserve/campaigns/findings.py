"""What a comparison has found so far, and the report that it makes of that at any time."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from handlers.backends.catalogue import artifact_name
from loadtest.results.comparison import CandidateReport, Quality, Report, Run
from loadtest.statistics.blocks import CANARY
from model_store.rows import Split
from paretoserve.campaigns.kept import Facts, KeptRate
from paretoserve.campaigns.plan import Place
from paretoserve.campaigns.quality import with_difference
from paretoserve.campaigns.serving import describe_host
from paretoserve.campaigns.settings import Comparison
from paretoserve.candidates.candidate import Candidate
from paretoserve.hosts.machine import describe_commit, describe_machine, describe_versions, split_cores


@dataclass(slots=True)
class Findings:
    """Runs by candidate, those of the canary under `CANARY`; qualities, facts and reasons to leave out by candidate."""

    runs: dict[str, list[Run]] = field(default_factory=dict)
    qualities: dict[str, Quality] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    rate: KeptRate | None = None
    order: list[Place] = field(default_factory=list)

    def add(self, place: Place, run: Run, facts: Facts) -> None:
        self.runs.setdefault(place.name, []).append(run)
        self.order.append(place)
        if facts != Facts():
            self.facts[place.name] = facts

    @property
    def has_any(self) -> bool:
        """Whether anything was measured that a reader can use."""
        return any(run.levels or run.common_rate for runs in self.runs.values() for run in runs)


def report_of(found: Findings, comparison: Comparison, split: Split, data: str) -> Report:
    """All that is known; candidates that have not had their turn are left out, except for the first one."""
    first = comparison.candidates[0]
    shown = [one for one in comparison.candidates if one is first or one.name in found.runs]
    return Report(
        candidates=tuple(_candidate_report(candidate, found) for candidate in shown),
        think_time_s=comparison.load.think_time_s,
        canary=tuple(found.runs.get(CANARY, ())),
        common_rate_per_s=found.rate.per_s if found.rate else None,
        slo=comparison.load.slo,
        queue_deadline_s=comparison.queue_deadline_s,
        price_per_hour=comparison.price_per_hour,
        max_drop=comparison.max_drop,
        blocks=comparison.planned_blocks,
        is_quick=comparison.is_quick,
        seed=comparison.seed,
        conditions=_conditions(found, comparison, split, data),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        title=comparison.title,
    )


def _candidate_report(candidate: Candidate, found: Findings) -> CandidateReport:
    artifacts = candidate.manifest.artifacts
    artifact = artifacts.get(artifact_name(candidate.backend, artifacts))
    quality = found.qualities.get(candidate.name)
    return CandidateReport(
        name=candidate.name,
        variant=candidate.manifest.variant,
        backend=candidate.backend,
        runs=tuple(found.runs.get(candidate.name, ())),
        quality=with_difference(quality, artifact.quality if artifact else None) if quality else None,
        size_bytes=artifact.bytes if artifact else None,
        parameters=candidate.manifest.parameters,
        nonzero=candidate.manifest.nonzero,
        precision=found.facts.get(candidate.name, Facts()).precision,
        macs_per_token=candidate.manifest.macs_per_token,
        made_in_s=candidate.manifest.seconds,
        dropped=found.dropped.get(candidate.name, ""),
    )


def _conditions(found: Findings, comparison: Comparison, split: Split, data: str) -> dict[str, str]:
    server_cores, client_cores = split_cores()
    engines = [facts.engine for facts in found.facts.values() if facts.engine]
    commit = describe_commit()
    return {
        "Model": comparison.candidates[0].manifest.model,
        "Data": f"{split.dataset}/{split.split}, {len(split.rows)} texts, {comparison.texts_per_request} per request",
        "Data hash": data,
        "Users": f"closed loop, exponential think time with a mean of {comparison.load.think_time_s * 1000:.0f} ms",
        "Admission": f"queue deadline of {comparison.queue_deadline_s * 1000:.0f} ms, the same for every candidate",
        **_common_rate(found),
        "Server": describe_host(comparison),
        "Cores of the server": ", ".join(map(str, server_cores)),
        "Cores of the load generator": ", ".join(map(str, client_cores)),
        **describe_machine(),
        "Versions": ", ".join((describe_versions(("paretoserve", "locust")), *dict.fromkeys(engines))),
        **({"Commit": commit} if commit else {}),
        "Seed": str(comparison.seed),
        **{f"Order of block {block + 1}": order for block, order in enumerate(_orders(found.order))},
        "Command": shlex.join(["paretoserve", *sys.argv[1:]]),
    }


def _common_rate(found: Findings) -> dict[str, str]:
    if found.rate is None:
        return {}
    return {"Common rate": f"{found.rate.per_s:.1f} requests/s (Poisson), {found.rate.origin}"}


def _orders(places: Sequence[Place]) -> list[str]:
    blocks = sorted({place.block for place in places})
    return [", ".join(place.name for place in places if place.block == block) for block in blocks]
