"""The table of `docs/sagemaker-toolkits.md`, from what the toolkits answered when they were observed, and what we do.

`python -m tests.contract.toolkits.table` observes the toolkits once more and writes both.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.contract.toolkits.cases import CASES, NPY, Case
from tests.contract.toolkits.running import OBSERVED, Outcome, published, separately

PAGE = Path(__file__).parents[3] / "docs" / "sagemaker-toolkits.md"
BEGIN, END = "<!-- begin: toolkits -->\n", "<!-- end: toolkits -->\n"

_MOST_SHOWN = 34


def value_of(outcome: Outcome) -> Any:
    """The body of an answer, as what it says where it is JSON."""
    try:
        # NaN is what the generic toolkit writes; it equals nothing but its name here.
        return json.loads(outcome["body"], parse_constant=str)
    except ValueError:
        return outcome["body"]


def is_answer(outcome: Outcome) -> bool:
    return bool(200 <= outcome["status"] < 300)


def same(one: Outcome, other: Outcome) -> bool:
    """Whether a client can tell two answers apart, or two refusals by their status."""
    if not is_answer(one) or not is_answer(other):
        return bool(one["status"] == other["status"])
    parts = ("status", "type", "headers")
    return [one[part] for part in parts] == [other[part] for part in parts] and value_of(one) == value_of(other)


def render(observed: Mapping[str, Mapping[str, Outcome]], ours: Mapping[str, Outcome]) -> str:
    lines = [
        "| script, or what it is asked | `sagemaker-inference` 1.10.1 | Hugging Face's 2.6.0 | ParetoServe | why |",
        "| --- | --- | --- | --- | --- |",
    ]
    for case in CASES:
        outcomes = [*observed[case.name].values(), ours[case.name]]
        lines.append(f"| {' | '.join([case.name, *map(_cell, outcomes), case.why])} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _cell(outcome: Outcome) -> str:
    status, kind = outcome["status"], outcome["type"]
    if not status:
        return "the worker ends" if outcome["body"].startswith("SystemExit") else "does not start"
    if not is_answer(outcome):
        return f"{status}, with a traceback" if "Traceback" in outcome["body"] else str(status)
    value = value_of(outcome)
    shown = outcome["body"] if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = "an array" if kind == NPY else " ".join(shown.replace("\x00", "␀").split())
    cut = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
    told = "" if kind == "application/json" else f", {kind}"
    return f"{status if status != 200 else ''} `{cut}`{told}".strip().replace("|", "\\|")


def answered_by_us(cases: tuple[Case, ...] = CASES) -> dict[str, Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        return {case.name: separately(case, Path(folder) / str(i) / "v") for i, case in enumerate(cases)}


def main() -> None:
    observed = published()
    OBSERVED.write_text(json.dumps(observed, indent=1, ensure_ascii=False) + "\n")
    page = PAGE.read_text()
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{render(observed, answered_by_us())}{END}{after}")
    sys.stdout.write(f"{len(observed)} scripts\n")


if __name__ == "__main__":
    main()
