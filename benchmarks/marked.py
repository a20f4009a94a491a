"""Pages that people write and benchmarks fill in: what stands between `<!-- NAME -->` and `<!-- /NAME -->`."""

import re
from pathlib import Path

import msgspec

from benchmarks.harness.results import Result

NOTHING = "Nothing was measured yet.\n"


def filled(page: str, name: str, text: str) -> str:
    """The page with `text` between the lines of this name; a page without them stays as it is."""
    marked = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    return marked.sub(lambda _: text, page)


def read_result(file: Path) -> Result | None:
    """A result that a benchmark left behind, if it was run."""
    return msgspec.json.decode(file.read_bytes(), type=Result) if file.is_file() else None


def where(result: Result) -> str:
    """The machine, the command and the day, before a table."""
    machine = result.machine
    cores = result.settings.get("cores") or result.settings.get("streams") or machine["Cores of the machine"]
    said = f"{machine['Processor']} ({machine['Instruction sets']}), {cores} cores"
    return f"{said}; `{result.command}`, {result.created[:10]}"
