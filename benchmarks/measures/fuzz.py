"""Many spoiled requests to a real server with a tiny model, and what is wrong with its answers."""

from benchmarks.harness.model import tiny_model
from benchmarks.harness.results import Result, make_result
from benchmarks.hostile.fuzz import Fuzz, Fuzzed, run_fuzz
from benchmarks.hostile.watch import watched_server
from paretoserve.terminal.progress import progress

BACKEND = "onnxruntime"

# Nothing is refused for being late, and whoever does not finish a header is not waited for long.
OPTIONS = ("--queue-deadline", "30", "--header-timeout", "1", "--body-timeout", "2")


def measure_fuzz(plan: Fuzz) -> tuple[Result, Fuzzed]:
    """The result, and the run itself with the cases that went wrong."""
    model = tiny_model()
    candidate = f"{model.variant('dense')}@{BACKEND}"
    with watched_server(candidate, OPTIONS) as server, progress("Fuzzing") as tell:
        found = run_fuzz(server, plan, lambda done: tell(f"requests {done}", min(1.0, done / plan.requests)))
    settings = {"model": model.source, "backend": BACKEND, "seed": plan.seed, "clients": plan.clients}
    figures = found.figures()
    return make_result("fuzz", settings, [figures], figures), found
