"""`python -m benchmarks COMMAND`: what the README claims, measured again."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from benchmarks.harness.places import RESULTS, VARIANTS, WRITE_UPS
from benchmarks.harness.results import Result, write_result
from loadtest.results.errors import LoadTestError
from model_store.errors import ParetoServeError
from paretoserve.terminal.progress import console, errors

app = typer.Typer(
    name="python -m benchmarks",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure again what the documentation claims; each command writes NAME.json.",
)

Out = Annotated[Path, typer.Option("--out", help="Folder for the result.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="How often everything is measured.")]
Seconds = Annotated[float, typer.Option("--seconds", min=0.5, help="How long each measurement takes.")]
Clients = Annotated[int, typer.Option("--clients", min=1, help="Closed-loop clients without think time.")]


def _write(result: Result, out: Path, shows_summary: bool = False) -> None:
    console.print(f"Result: {write_result(result, out)}", markup=False, soft_wrap=True)
    if shows_summary:
        console.print_json(data=msgspec.to_builtins(result.summary))


@app.command()
def peers(
    rounds: Rounds = 3,
    seconds: Seconds = 10.0,
    clients: Clients = 16,
    only: Annotated[list[str] | None, typer.Option(help="Peers to measure; may be given several times.")] = None,
    seed: Annotated[int, typer.Option(help="Of the order of contestants.")] = 0,
    out: Out = RESULTS,
) -> None:
    """Our server beside FastAPI, LitServe, MLServer, TorchServe, Ray Serve and Triton."""
    from benchmarks.peers.run import PeersBenchmark, run_peers
    from benchmarks.peers.table import peers_table

    result = run_peers(PeersBenchmark(rounds, seconds, clients, tuple(only or ()), seed))
    for name, reason in result.settings["skipped"].items():
        errors.print(f"Left out: {name}: {reason}", markup=False, soft_wrap=True)
    console.print(peers_table(result.summary))
    _write(result, out)


@app.command()
def overhead(rounds: Rounds = 3, seconds: Seconds = 10.0, clients: Clients = 16, out: Out = RESULTS) -> None:
    """Our server beside the engine alone: requests a second, and how much longer one client waits."""
    from benchmarks.measures.overhead import measure_overhead

    _write(measure_overhead(rounds, seconds, clients), out)


@app.command()
def overload(seconds: Seconds = 60.0, out: Out = RESULTS) -> None:
    """Three, ten and twenty times as many requests as can be answered, arriving whether or not others are answered."""
    from benchmarks.measures.overload import measure_overload

    _write(measure_overload(seconds), out)


@app.command()
def kills(seconds: Seconds = 245.0, out: Out = RESULTS) -> None:
    """Processes of workers are killed at random moments under load, 20 times: each start waits longer."""
    from benchmarks.measures.kills import measure_kills

    _write(measure_kills(seconds), out)


@app.command()
def cores(rounds: Rounds = 3, seconds: Seconds = 8.0, clients: Clients = 16, out: Out = RESULTS) -> None:
    """Two cores beside one."""
    from benchmarks.measures.cores import measure_cores

    _write(measure_cores(rounds, seconds, clients), out)


@app.command()
def front(rounds: Rounds = 3, seconds: Seconds = 5.0, out: Out = RESULTS) -> None:
    """The HTTP front with a worker behind it that answers at once; needs wrk."""
    from benchmarks.measures.front import measure_front

    _write(measure_front(rounds, seconds), out)


@app.command()
def start(rounds: Rounds = 3, out: Out = RESULTS) -> None:
    """How long a worker takes to be ready, and its memory."""
    from benchmarks.measures.start import measure_start

    _write(measure_start(rounds), out)


@app.command("multi-model")
def multi_model(rounds: Rounds = 10, models: int = 20, together: int = 5, out: Out = RESULTS) -> None:
    """Models loaded and unloaded on a multi-model endpoint: seconds until ready, and memory that comes back."""
    from benchmarks.measures.multi_model import measure_multi_model

    _write(measure_multi_model(rounds, models, together), out)


@app.command()
def containers(rounds: Rounds = 10, seconds: Seconds = 5.0, clients: Clients = 16, out: Out = RESULTS) -> None:
    """A server in its container beside the same one outside, its start, and the sizes of the images."""
    from benchmarks.measures.containers import measure_containers

    _write(measure_containers(rounds, seconds, clients), out)


@app.command()
def sparse(rounds: Rounds = 5, seconds: Seconds = 10.0, out: Out = RESULTS) -> None:
    """A pruned model in DeepSparse beside the dense one, there and in ONNX Runtime."""
    from benchmarks.measures.sparse import measure_sparse

    _write(measure_sparse(rounds, seconds), out)


@app.command()
def shapes(
    rounds: Rounds = 5,
    seconds: Seconds = 3.0,
    layers: Annotated[list[int] | None, typer.Option(help="So many layers alone; may be given several times.")] = None,
    out: Out = WRITE_UPS,
) -> None:
    """BERT-base with fewer layers and with zeros on DeepSparse and ONNX Runtime, pruned and INT8 on OpenVINO."""
    from benchmarks.measures.shapes import ShapesBenchmark, measure_shapes

    _write(measure_shapes(ShapesBenchmark(rounds, seconds, tuple(layers or (12, 6, 3)))), out)


Encoder = Annotated[
    Path | None, typer.Option(help="Folder of the encoder to fine-tune; else all-MiniLM-L6-v2, from a package of PyPI.")
]
Rows = Annotated[int | None, typer.Option(min=40, help="Only the first so many rows of each split, to try it out.")]
Seed = Annotated[int, typer.Option(min=0, help="For all that is drawn.")]


@app.command()
def finetuned(seed: Seed = 0, rows: Rows = None, out: Out = WRITE_UPS) -> None:
    """What the small encoder that begins with nothing learns of SST-2 in two epochs."""
    from benchmarks.measures.finetuned import measure_finetuned

    _write(measure_finetuned(seed, rows), out)


@app.command()
def rte(
    encoder: Encoder = None,
    epochs: Annotated[float, typer.Option(min=0.01, help="Passes of the fine-tuning.")] = 5.0,
    passes: Annotated[float, typer.Option(min=0.01, help="Passes that train the super-network.")] = 5.0,
    recovery: Annotated[float, typer.Option(min=0.01, help="Passes that train each pick.")] = 5.0,
    evaluations: Annotated[int, typer.Option(min=2, help="Networks that each sampler looks at.")] = 100,
    seeds: Annotated[int, typer.Option(min=1, help="How often the search is repeated.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that evaluate at once.")] = 1,
    seed: Seed = 0,
    rows: Rows = None,
    out: Out = WRITE_UPS,
) -> None:
    """RTE: fine-tuned, searched with NSGA-II and at random on a 70/30 split of train, measured on dev once."""
    from benchmarks.measures.glue import RteSearch, Tuning, measure_rte

    search = RteSearch(passes, recovery, evaluations, seeds, jobs)
    _write(measure_rte(Tuning(encoder, epochs, seed, rows), search), out)


@app.command()
def cola(
    encoder: Encoder = None,
    epochs: Annotated[float, typer.Option(min=0.01, help="Passes of the fine-tuning.")] = 3.0,
    rounds: Rounds = 6,
    seconds: Seconds = 3.0,
    seed: Seed = 0,
    rows: Rows = None,
    out: Out = WRITE_UPS,
) -> None:
    """CoLA: fine-tuned, and served as TorchScript; its accuracy, Matthews' correlation and speed."""
    from benchmarks.measures.glue import Tuning, measure_cola

    _write(measure_cola(Tuning(encoder, epochs, seed, rows), rounds, seconds), out)


@app.command()
def variants(
    model: Annotated[Path, typer.Argument(help="Folder of the variants of one model, `dense` among them.")],
    backend: Annotated[list[str] | None, typer.Option(help="Engine to measure on; may be given several times.")] = None,
    rounds: Rounds = 6,
    seconds: Seconds = 3.0,
    out: Out = VARIANTS,
) -> None:
    """Every variant of a model on its engines, in turns: texts a second, beside what its accuracy is."""
    from benchmarks.measures.variants import measure_variants

    _write(measure_variants(model, backend or ["onnxruntime", "openvino", "deepsparse"], rounds, seconds), out)


@app.command()
def against(
    old: Annotated[Path, typer.Option(help="Folder of a clone of the project at the older commit.")],
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of old and new; an interval of 95 % takes six.")] = 12,
    seconds: Seconds = 2.0,
    clients: Clients = 16,
    backend: Annotated[str, typer.Option(help="The engine that serves.")] = "onnxruntime",
    out: Out = RESULTS,
) -> None:
    """An older commit against this one: requests a second, one client, the front, a start. Exits with 1 if slower."""
    from benchmarks.measures.against import AgainstPlan, measure_against, regressions

    result = measure_against(old, AgainstPlan(pairs, seconds, clients, backend))
    _write(result, out)
    for name, one in result.summary.items():
        between = "too few pairs for an interval" if one["low"] is None else f"{one['low']:.3f} to {one['high']:.3f}"
        console.print(f"{name}: {one['old']:.4g}, now {one['new']:.4g}: {one['ratio']:.3f} ({between})", markup=False)
    if found := regressions(result):
        errors.print("\n".join(["Slower than before:", *found]), markup=False)
        raise typer.Exit(1)


@app.command()
def fuzz(
    requests: Annotated[int, typer.Option(min=1, help="How many cases are sent.")] = 200_000,
    seed: Annotated[int, typer.Option(help="Makes the same cases again.")] = 0,
    first: Annotated[int, typer.Option(help="Number of the first case, to send one again.")] = 0,
    out: Out = RESULTS,
) -> None:
    """Spoiled requests of every kind. Exits with 1 if one is not answered as it should be, or leaves anything."""
    from benchmarks.hostile.fuzz import Fuzz
    from benchmarks.measures.fuzz import measure_fuzz

    result, found = measure_fuzz(Fuzz(requests, seed, first=first))
    _write(result, out)
    for fault in found.faults:
        errors.print(f"Case {fault.number} ({fault.kind}): {fault.what}", markup=False)
    if found.faults or found.restarts or found.left:
        errors.print(f"Restarts: {found.restarts}. Left: {', '.join(found.left) or 'nothing'}.", markup=False)
        raise typer.Exit(1)


@app.command()
def hostile(
    rounds: Rounds = 3,
    seconds: Seconds = 8.0,
    only: Annotated[list[str] | None, typer.Option(help="Bodies to send; may be given several times.")] = None,
    out: Out = RESULTS,
) -> None:
    """Sixteen ordinary clients beside one that sends the most expensive legal bodies without pause."""
    from benchmarks.measures.hostile import measure_hostile

    _write(measure_hostile(rounds, seconds, only or ()), out, shows_summary=True)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long it lasts.")] = 60.0,
    settle: Annotated[float, typer.Option(help="Minutes at the start that do not count: caches fill.")] = 10.0,
    kill_every: Annotated[float | None, typer.Option(help="Kill a worker every so many seconds.")] = None,
    out: Out = RESULTS,
) -> None:
    """Good and bad traffic for a long time: memory, descriptors, threads and child processes."""
    from benchmarks.hostile.soak import Soak
    from benchmarks.measures.soak import measure_soak

    _write(measure_soak(Soak(60 * minutes, 60 * settle, kill_every_s=kill_every)), out, shows_summary=True)


@app.command()
def report() -> None:
    """Write docs/performance.md, and the tables of other pages, from the results."""
    from benchmarks import report as performance
    from benchmarks.pages import filled_pages

    for page, text in [(performance.PAGE, performance.render()), *filled_pages()]:
        page.write_text(text)
        console.print(f"Page: {page}", markup=False, soft_wrap=True)


def main() -> None:
    """Run a command; turn errors into one sentence and an exit code of 1."""
    # So that servers which are measured end, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except (ParetoServeError, LoadTestError) as exc:
        errors.print(f"Error: {exc}", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
