"""What a second core is worth: requests a second, and requests per second of processor time, on one core and on two."""

from typing import Any

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.results import Result, make_result, ratios, spread
from benchmarks.harness.sentences import load_sentences
from benchmarks.harness.served import served
from paretoserve.campaigns.compare import split_cores
from serving.cpu_plan import usable_cores

BACKEND = "onnxruntime"
WARM_UP_REQUESTS = 300


def measure_cores(rounds: int, seconds: float, clients: int) -> Result:
    """On two cores the client takes a little of one; processor time counts the server's own only."""
    model, sentences = benchmark_model(), load_sentences()
    server_cores, client_cores = split_cores()
    taken: list[dict[str, Any]] = []
    for number in range(rounds):
        for cores in (server_cores[:1], usable_cores()[:2]):
            with served(f"{model.variant('dense')}@{BACKEND}", cores, client_cores) as server:
                server.load(sentences.bodies(), requests=WARM_UP_REQUESTS)
                before_s = server.cpu_s()
                figures = server.load(sentences.bodies(), seconds=seconds, clients=clients).figures()
                spent_s = server.cpu_s() - before_s
                answered = figures["requests_per_s"]
                assert isinstance(answered, float), "this is a bug: a rate is a number"
                taken.append(
                    {
                        "round": number,
                        "cores": len(cores),
                        "split": server.variant["split"],
                        "measured_tokens_per_s": server.variant["measured_tokens_per_s"],
                        "requests_per_cpu_s": answered * seconds / spent_s,
                        **figures,
                    }
                )
    by_cores = {n: [one for one in taken if one["cores"] == n] for n in (1, 2)}
    summary = {
        name: spread(ratios([one[name] for one in by_cores[2]], [one[name] for one in by_cores[1]]))
        for name in ("requests_per_cpu_s", "requests_per_s")
    }
    settings = {"model": model.source, "sentences": sentences.source, "clients": clients, "seconds": seconds}
    return make_result("cores", settings, taken, summary)
