"""What a comparison found: the contents of a report, and the file that keeps them."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult
from loadtest.results.slo import Slo
from loadtest.results.threshold import Threshold

SCHEMA = 2
REPORT_FILE = "report.json"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a variant has right more than the dense one of its model, on the same engine and examples, as shares."""

    value: float
    """The share of examples that only the variant has right, less that of those that only the dense one has right."""
    interval: tuple[float, float]
    """Of 95 %."""
    p: float
    """Of McNemar's test: how likely such a difference or a greater one is where both are equally good."""
    agreement: float
    """The share of examples that both give the same answer for."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a variant does its task; more is better."""

    value: float
    """On the scale of the metric: 0.9 is an accuracy of 90 %."""
    metric: str
    """As readers see it: accuracy (a share between 0 and 1), F1, Matthews correlation."""
    n: int | None = None
    """Examples it was measured on."""
    dataset: str | None = None
    """Its name and the split, such as `sst2/dev`."""
    interval: tuple[float, float] | None = None
    """Of 95 %, where right answers are counted."""
    against_dense: Difference | None = None
    """As it was found when the variant was built; None where it was not, and for the dense one."""
    further: dict[str, float] = field(default_factory=dict)
    """Other measures of the same answers, by name."""
    right: str = ""
    """Which of the examples were answered right, a bit each, the first one highest, in hexadecimal digits; empty where
    the metric counts no right answers. Two candidates are compared example by example with it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One candidate on a server that was started for it: one place in one block."""

    block: int
    """From 0. Every candidate runs once in each block, in an order of its own."""
    place: int
    """In the order of the block, from 0."""
    started: str
    """ISO 8601."""
    levels: tuple[LevelResult, ...] = ()
    """Of users who think, in the order of their first visit."""
    threshold: Threshold | None = None
    """In users; None where no level could be believed."""
    common_rate: LevelResult | None = None
    """In the open loop, at the report's common rate."""
    rates: tuple[LevelResult, ...] = ()
    """In the open loop, on the way to the highest rate within the objective."""
    rate_threshold: Threshold | None = None
    """In requests per second; None without an objective."""
    cpu_s_per_1000: float | None = None
    """Processor time of the server's processes per thousand answers at the common rate; None where it could not be
    seen."""
    steal_share: float | None = None
    """Of the processor time of the machine: what its host gave to others meanwhile."""
    failure: str = ""
    """Why it ended early or never began, in a sentence; empty where it did not."""


@dataclass(frozen=True, slots=True)
class CandidateReport:
    """One variant on one backend with everything measured about it."""

    name: str
    """Such as `int8@openvino`."""
    variant: str
    """Its name in the store."""
    backend: str
    """The engine that ran it."""
    runs: tuple[Run, ...]
    """In the order of the blocks; those that failed are among them."""
    quality: Quality | None = None
    """Of the answers over HTTP; None where it could not be measured."""
    size_bytes: int | None = None
    """Of the model's files for this backend."""
    parameters: int | None = None
    """Weights of the network."""
    nonzero: int | None = None
    """Those that are not 0."""
    precision: str | None = None
    """What the engine really computed in."""
    macs_per_token: int | None = None
    """Multiplications of all layers for a token, at the mean length of the texts that it was built with."""
    made_in_s: float | None = None
    """All that making the variant took, training included."""
    dropped: str = ""
    """Why it was left out of the later blocks, in a sentence; empty where it was not."""

    @property
    def levels(self) -> tuple[LevelResult, ...]:
        """Of all runs, in their order."""
        return tuple(level for run in self.runs for level in run.levels)


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison of candidates under the same load. The first candidate is the one others are compared with."""

    candidates: tuple[CandidateReport, ...]
    """In the order they were named in."""
    think_time_s: float
    """Mean pause of a user between an answer and the next request."""
    canary: tuple[Run, ...] = ()
    """The first candidate, measured once more in each block: what differs between it and itself is noise."""
    common_rate_per_s: float | None = None
    """At which response times are compared: half of what the first candidate holds."""
    slo: Slo | None = None
    """The objective of `--slo`; None without one."""
    queue_deadline_s: float | None = None
    """How long a request may wait in the server before it is rejected; None where that is not known."""
    price_per_hour: float | None = None
    """Of the machine that serves, in the currency of the reader."""
    max_drop: float = 0.02
    """How much of the first candidate's quality may be lost, as a share (or as points of a hundredth of the scale)."""
    blocks: int = 1
    """As planned; there are fewer where the answer was clear before."""
    is_quick: bool = False
    """Whether it was a first look (`--quick`)."""
    seed: int = 0
    """What bodies, pauses, arrivals and the order of the runs were drawn from."""
    conditions: dict[str, str] = field(default_factory=dict)
    """What a reader needs to judge and repeat the numbers, in the order shown."""
    created: str = ""
    """ISO 8601."""
    title: str = "Load test"
    """The heading of the page."""
    reject_threshold: float = 0.01
    """The share of unserved requests that counts as throttling."""
    schema: int = SCHEMA
    """Of this file. It grows by one when a reader of the one before could not read it."""

    def __post_init__(self) -> None:
        names = [candidate.name for candidate in self.candidates]
        if not names or len(set(names)) < len(names):
            raise LoadTestError("A report needs at least one candidate and a different name for each.")


def save_report(report: Report, path: Path) -> None:
    """Write what `loadtest.results.reading.read_report` reads, replacing an older one in a single step."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    partial.replace(path)
