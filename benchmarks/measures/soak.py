"""A server under a mix of good and bad traffic for a long time: does it grow?"""

from benchmarks.harness.model import tiny_model
from benchmarks.harness.results import Result, make_result
from benchmarks.hostile.soak import Soak, run_soak
from benchmarks.hostile.watch import watched_server
from paretoserve.terminal.progress import progress

BACKEND = "onnxruntime"
OPTIONS = ("--queue-deadline", "5")


def measure_soak(plan: Soak) -> Result:
    model = tiny_model()
    candidate = f"{model.variant('dense')}@{BACKEND}"
    with watched_server(candidate, OPTIONS) as server, progress("Soaking") as tell:
        soaked = run_soak(server, plan, lambda at: tell(f"minutes {at / 60:.0f}", at / plan.seconds))
    settings = {
        "model": model.source,
        "backend": BACKEND,
        "seconds": plan.seconds,
        "settle_s": plan.settle_s,
        "clients": plan.clients,
        "seed": plan.seed,
        "kill_every_s": plan.kill_every_s,
    }
    figures = soaked.figures(plan.settle_s)
    return make_result("soak-kills" if plan.kill_every_s else "soak", settings, [figures], figures)
