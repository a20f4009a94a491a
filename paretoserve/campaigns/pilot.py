"""The common rate: half of what the first candidate can do, found before the first block, the same for all."""

from loadtest.results.errors import LoadTestError
from model_store.errors import ParetoServeError
from paretoserve.campaigns.course import Course
from paretoserve.campaigns.kept import PILOT, RESULT_FILE, KeptRate, keep, rate_fingerprint
from paretoserve.campaigns.measure import sentence
from paretoserve.campaigns.probe import limit_per_s
from paretoserve.campaigns.quality import PATH
from paretoserve.campaigns.serving import serving
from paretoserve.candidates.candidate import Candidate
from paretoserve.hosts.machine import split_cores

SHARE = 0.5


def common_rate(course: Course) -> KeptRate:
    """The rate that is given, was kept, or is found now. Where the first candidate cannot be served, the next one's.

    Raises:
        ParetoServeError: no candidate can be served.
    """
    if (given := course.comparison.common_rate_per_s) is not None:
        return KeptRate(given, "as in the report that this one is held against")
    failures = []
    for candidate in course.comparison.candidates:
        try:
            return _rate_of(candidate, course)
        except (ParetoServeError, LoadTestError, ConnectionError) as exc:
            failures.append(f"{candidate.name}: {sentence(exc)}")
            course.watch.say(failures[-1])
    raise ParetoServeError(" ".join(("Nothing could be measured.", *failures)))


def _rate_of(candidate: Candidate, course: Course) -> KeptRate:
    comparison = course.comparison
    folder = comparison.out_dir / PILOT / candidate.name
    fingerprint = rate_fingerprint(candidate, comparison, course.data)
    if kept := course.kept(folder / RESULT_FILE, fingerprint, KeptRate, "The common rate"):
        return kept
    course.watch.begin(candidate.name, "pilot", sum(course.planned_s))
    load, (_, client_cores) = comparison.load, split_cores()
    with serving(candidate, comparison, folder / "server.log") as server:
        course.watch.do("finding the common rate")
        campaign = load.campaign(server.url, course.bodies, PATH, client_cpus=client_cores, seed=comparison.seed)
        limit, _ = limit_per_s(campaign, comparison.queue_deadline_s, load.probe_s, folder)
    if limit <= 0:
        raise ParetoServeError("It answered no request of users without think time; see its log, server.log.")
    rate = KeptRate(SHARE * limit, f"half of what {candidate.name} answers users without think time")
    keep(folder / RESULT_FILE, fingerprint, rate)
    return rate
