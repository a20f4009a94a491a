"""The generated parts of the documentation: commands, settings, metrics, errors, each from the code that has them.

`python -m docs.generate` rewrites the text between `<!-- generated: NAME -->` and `<!-- end -->` in the
pages; with `--check` it changes nothing and exits with 1 where a page is out of date.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from docs import report_fields
from loadtest.report.summary import summary_table, verdict
from loadtest.results.comparison import REPORT_FILE
from loadtest.results.reading import read_report
from model_store import errors
from paretoserve.cli import app
from paretoserve.terminal.progress import console
from serving.front.http_errors import STATUS, status_of
from serving.front.metrics import Metrics
from serving.front.refusals import Refusal
from serving.front.sagemaker_variables import VARIABLES
from serving.front.settings import Settings

DOCS = Path(__file__).parent
PAGES = ("reference.md", "report.md", "serve.md", "compare.md", "container.md", "../README.md")
# Two comparisons as `paretoserve compare` wrote them: of all engines, in containers, and of some on another processor.
RESULTS = DOCS / "results" / "sst2-containers"
RESULTS_AMX = DOCS / "results" / "sst2-amx"

_SECTION = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NONE = "\N{EN DASH}"

# Units that the names of settings state, by how the name ends.
_UNITS = {"_s": "s", "_bytes": "bytes", "_tokens": "tokens", "_queue": "requests"}


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _code(text: object) -> str:
    return f"`{text}`"


def commands() -> Mapping[str, Any]:
    """The commands of the command line by their names; those of a group as `env create`."""
    return dict(_within(typer.main.get_command(app)))


def _within(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _within(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def commands_section() -> str:
    return "\n".join(_command(name, command) for name, command in commands().items())


def _command(name: str, command: Any) -> str:
    rows = [(_code(_usage(one)), _default(one), one.help or "") for one in command.params]
    summary = " ".join(command.help.split())
    described = f"### `paretoserve {name}`\n\n{summary}\n"
    return f"{described}\n{table(('option', 'default', 'meaning'), rows)}" if rows else described


def _usage(parameter: Any) -> str:
    name: str = parameter.name
    if parameter.param_type_name == "argument":
        return name.upper() + ("…" if parameter.nargs == -1 else "")
    return "/".join((*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return _NONE if parameter.default is None else _code(parameter.default)


def settings_section() -> str:
    meanings = _settings_meanings()
    rows = [
        (_code(one.name), _option(one.name), _unit(one.name), _code(one.default), meanings[one.name])
        for one in fields(Settings)
    ]
    return table(("setting", "option of `serve`", "unit", "default", "meaning"), rows)


def _settings_meanings() -> dict[str, str]:
    """The meaning of each setting, from the lines `name, name: meaning` of the docstring of `Settings`."""
    lines = re.findall(r"^([\w, ]+): (.+)$", inspect.getdoc(Settings) or "", re.MULTILINE)
    return {name: text for names, text in lines for name in names.split(", ")}


def _option(setting: str) -> str:
    options = (one for one in commands()["serve"].params if one.param_type_name == "option")
    return next((_code(one.opts[0]) for one in options if setting.startswith(one.name)), _NONE)


def _unit(setting: str) -> str:
    return next((unit for ending, unit in _UNITS.items() if setting.endswith(ending)), _NONE)


def metrics_section() -> str:
    metrics = Metrics()
    # Counters that count by a further label have no sample before they have counted.
    one = metrics.of("", "")
    one.answered(200, 0.0)
    one.refused(Refusal.QUEUE_FULL)
    rows = []
    for family in metrics.registry.collect():
        if family.name.endswith("_created"):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = [label for label in family.samples[0].labels if label != "le"]
        rows.append((_code(name), family.type, ", ".join(map(_code, labels)) or _NONE, family.documentation))
    return table(("metric", "type", "labels", "meaning"), rows)


def errors_section() -> str:
    rows = []
    for name, kind in _tree(errors.ParetoServeError):
        rows.append((_code(name), str(status_of(name)), _first_line(kind)))
    return table(("error", "status", "meaning"), rows)


def _tree(kind: type[Exception]) -> list[tuple[str, type[Exception]]]:
    """An error and those below it, in the order of their definition."""
    below = [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    return [(kind.__name__, kind), *(pair for one in below for pair in _tree(one))]


def statuses_section() -> str:
    rows = []
    for name, status in sorted(STATUS.items(), key=lambda pair: (pair[1], pair[0])):
        kind = getattr(errors, name)
        waits = "yes" if "retry_after_s" in inspect.signature(kind.__init__).parameters else "no"
        rows.append((str(status), _code(name), waits, _first_line(kind)))
    return table(("status", "`type` in the body", "`Retry-After`", "meaning"), rows)


def results_section(folder: Path = RESULTS) -> str:
    """The summary of a comparison, its conditions, and what it says."""
    report = read_report(folder / REPORT_FILE)
    shown = ("Data", "Users", "Admission", "Server", "Cores of the server", "Processor", "Instruction sets", "Versions")
    conditions = "".join(f"- {name}: {report.conditions[name]}\n" for name in shown if name in report.conditions)
    header, rows = summary_table(report)
    return f"{table(header, rows)}\n{verdict(report)}\n\nMeasured on {report.created[:10]}:\n\n{conditions}"


def report_section() -> str:
    """The objects of `report.json`, a table each."""
    return "\n".join(map(_report_object, report_fields.objects()))


def _report_object(one: type) -> str:
    rows = ((_code(name), *rest) for name, *rest in report_fields.fields_of(one))
    fields_of_it = table(("field", "type", "unit", "meaning"), rows)
    return f"### {one.__name__}\n\n{report_fields.described(one)}\n\n{fields_of_it}"


def _first_line(kind: type[Exception]) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]


def variables_section() -> str:
    rows = [(_code(one.name), one.use, one.meaning) for one in VARIABLES]
    return table(("variable", "for", "meaning"), rows)


SECTIONS: dict[str, Callable[[], str]] = {
    "commands": commands_section,
    "settings": settings_section,
    "metrics": metrics_section,
    "errors": errors_section,
    "statuses": statuses_section,
    "results": results_section,
    "report-json": report_section,
    "sagemaker-variables": variables_section,
    "results-amx": lambda: results_section(RESULTS_AMX),
}


def in_step(text: str) -> str:
    """A page with its generated sections rewritten."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{SECTIONS[found[2]]()}\n{found[3]}", text)


def main() -> None:
    """Rewrite the pages; with `--check`, only say which are out of step."""
    stale = []
    for page in (DOCS / name for name in PAGES):
        text = page.read_text(encoding="utf-8")
        if (written := in_step(text)) == text:
            continue
        stale.append(page.name)
        if "--check" not in sys.argv[1:]:
            page.write_text(written, encoding="utf-8")
    if "--check" in sys.argv[1:] and stale:
        console.print(f"Out of step: {', '.join(stale)}; run: python -m docs.generate", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
