"""`paretoserve compare`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from paretoserve.commands import campaign_options as told
from paretoserve.commands import options
from paretoserve.terminal.interrupt import can_go_on
from paretoserve.terminal.printing import print_report
from paretoserve.terminal.progress import console

if TYPE_CHECKING:
    from paretoserve.campaigns.gate import Gate
    from paretoserve.campaigns.settings import Comparison


@can_go_on("after the last run that was finished; --out has a report of those")
def compare(
    store: told.ModelFolder,
    candidates: told.Candidates,
    data: options.Data,
    out: options.Out = Path("runs/compare"),
    quick: told.Quick = False,
    blocks: told.Blocks = 3,
    users: told.Users = "auto",
    exact_levels: told.ExactLevels = False,
    think_time: told.ThinkTime = 0.1,
    dwell: told.Dwell = 4.0,
    slo: told.Objective = None,
    queue_deadline: options.QueueDeadline = 0.1,
    texts_per_request: told.TextsPerRequest = 1,
    price_per_hour: told.Price = None,
    max_drop: told.MaxDrop = 2.0,
    baseline: told.Baseline = None,
    fail_if: told.FailIf = None,
    seed: told.Seed = 0,
    host: told.Host = "process",
    cpus: told.Cpus = None,
    memory: told.Memory = None,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    plain: told.Plain = False,
    restart: told.Restart = False,
    dry_run: told.DryRun = False,
) -> None:
    """Find which candidate holds the most users, how sure that is, and what it costs in quality.

    Each runs alone on a fresh server, in blocks; the report is written after each run. The same command goes on where
    it was stopped.
    """
    from paretoserve.campaigns.gate import gate_of

    gate = gate_of(baseline, fail_if or ())
    load = told.load_told(users, exact_levels, think_time, dwell, slo, quick)
    columns = options.columns(text_column, text_pair_column, label_column)
    asked = _comparison(store, candidates, host, cpus, memory, data, out)
    asked = replace(asked, load=load, queue_deadline_s=queue_deadline, texts_per_request=texts_per_request)
    asked = replace(asked, columns=columns, blocks=blocks, is_quick=quick, seed=seed, restarts=restart)
    asked = replace(asked, price_per_hour=price_per_hour, max_drop=max_drop / 100)
    _run(asked, gate, plain, dry_run)


def _comparison(
    store: Path, candidates: str, host: str, cpus: float | None, memory: str | None, data: str, out: Path
) -> "Comparison":
    from paretoserve.campaigns.settings import Comparison
    from paretoserve.candidates.candidate import parse_candidate
    from paretoserve.hosts.container import limits_told

    limits = limits_told(host, cpus, memory)
    parsed = [parse_candidate(text.strip(), store) for text in candidates.split(",")]
    return Comparison(parsed, data, out, title=f"{store.name}: {len(parsed)} candidates", containers=limits)


def _run(comparison: "Comparison", gate: "Gate | None", plain: bool, dry_run: bool) -> None:
    from paretoserve.campaigns.compare import compare as run_comparison
    from paretoserve.campaigns.gate import outcome_of
    from paretoserve.campaigns.plan import planned

    if dry_run:
        console.print(planned(comparison), markup=False)
        return
    if gate is None:
        print_report(run_comparison(comparison, plain), comparison.out_dir)
        return
    gate.check_candidates([one.name for one in comparison.candidates])
    comparison = replace(comparison, common_rate_per_s=gate.baseline.common_rate_per_s)
    report = run_comparison(comparison, plain, gate.check)
    print_report(report, comparison.out_dir)
    findings = gate.judge(report)
    code = gate.exit_code(findings)
    words = {"holds": "holds", "fails": "fails", "undecided": "is undecided"}[outcome_of(findings)]
    console.print(*(finding.text for finding in findings), sep="\n", markup=False, soft_wrap=True)
    console.print(f"The gate {words}: exit code {code}.")
    raise typer.Exit(code)
