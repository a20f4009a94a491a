"""A comparison in its course: what all its runs share, what is kept of it, and what it has found so far."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from loadtest.results.comparison import Report
from model_store.rows import Split
from paretoserve.campaigns.findings import Findings, report_of
from paretoserve.campaigns.kept import Fingerprint, data_digest, kept_in, what_changed
from paretoserve.campaigns.plan import Place, run_seconds
from paretoserve.campaigns.quality import write_bodies
from paretoserve.campaigns.serving import task_of
from paretoserve.campaigns.settings import Comparison
from paretoserve.candidates.candidate import Candidate
from paretoserve.terminal.watch import Watch
from recipes.data.rows import load_data

Found = TypeVar("Found")


@dataclass(slots=True)
class Course:
    comparison: Comparison
    split: Split
    bodies: Path
    data: str
    """Digest of the rows, and of the requests that are made of them."""
    watch: Watch
    found: Findings = field(default_factory=Findings)
    planned_s: list[float] = field(default_factory=list)
    """Of each run, in their order; those of runs that are kept are taken out."""
    taken_s: list[float] = field(default_factory=list)

    @property
    def rate_per_s(self) -> float:
        assert self.found.rate is not None, "this is a bug: runs come after the pilot"
        return self.found.rate.per_s

    def report(self) -> Report:
        return report_of(self.found, self.comparison, self.split, self.data)

    def candidate(self, name: str) -> Candidate:
        """The canary is the first candidate once more."""
        every = self.comparison.candidates
        return next((one for one in every if one.name == name), every[0])

    def folder(self, place: Place) -> Path:
        return self.comparison.out_dir / place.name / f"block-{place.block + 1}"

    def kept(self, file: Path, fingerprint: Fingerprint, kind: type[Found], what: str) -> Found | None:
        """A result of an earlier command, if all that it depends on is the same; says so if not."""
        kept = kept_in(file, kind)
        if kept is None:
            if file.exists():
                self.watch.say(f"{what} is measured again: {file.name} was not written by this version, or is damaged.")
            return None
        if changed := what_changed(kept.fingerprint, fingerprint):
            self.watch.say(f"{what} is measured again: not the same any more are {', '.join(changed)}.")
            file.unlink()
            return None
        return kept.found


def begun(comparison: Comparison, watch: Watch) -> Course:
    """Read the data, and write the requests that all candidates get.

    Raises:
        ParetoServeError: the data cannot be read.
    """
    task = task_of(comparison.candidates[0])
    split = load_data(comparison.data, task.target, comparison.columns).evaluation
    inputs = [task.inputs(row) for row in split.rows]
    bodies = write_bodies(inputs, comparison.texts_per_request, comparison.out_dir / "bodies.jsonl")
    course = Course(comparison, split, bodies, data_digest(split, bodies), watch)
    runs = len(comparison.candidates) + comparison.has_canary
    for block in range(comparison.planned_blocks):
        course.planned_s += [run_seconds(comparison.load, block, len(split.rows))] * runs
    return course
