"""`paretoserve compare`."""

from pathlib import Path
from typing import Annotated

import typer

from paretoserve.commands import options
from paretoserve.terminal.printing import print_report


def compare(
    store: Annotated[Path, typer.Option(help="Folder of one model, e.g. store/sst2-minilm.")],
    candidates: Annotated[str, typer.Option(help="Comma-separated, e.g. dense@onnxruntime,int8@openvino.")],
    data: options.Data,
    out: options.Out = Path("runs/compare"),
    users: options.Users = "auto",
    exact_levels: options.ExactLevels = False,
    think_time: options.ThinkTime = 0.1,
    dwell: options.Dwell = 6.0,
    queue_deadline: options.QueueDeadline = 0.1,
    texts_per_request: Annotated[int, typer.Option(min=1, help="Texts in one request.")] = 1,
    host: options.Host = "process",
    cpus: Annotated[float | None, typer.Option(min=0.01, help="CPU quota of each container, cores.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory of each container, e.g. 2g.")] = None,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
) -> None:
    """Serve each candidate alone, measure its quality over HTTP, load it until it throttles, and report."""
    from paretoserve.campaigns.compare import Comparison, Load
    from paretoserve.campaigns.compare import compare as run_comparison
    from paretoserve.candidates.candidate import parse_candidate
    from paretoserve.hosts.container import limits_told

    parsed = [parse_candidate(text.strip(), store) for text in candidates.split(",")]
    comparison = Comparison(
        candidates=parsed,
        data=data,
        out_dir=out,
        load=Load(options.parse_levels(users), think_time, *options.dwell(dwell), exact_levels=exact_levels),
        queue_deadline_s=queue_deadline,
        texts_per_request=texts_per_request,
        columns=options.columns(text_column, text_pair_column, label_column),
        title=f"{store.name}: {len(parsed)} candidates",
        containers=limits_told(host, cpus, memory),
    )
    print_report(run_comparison(comparison), out)
