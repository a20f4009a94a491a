"""How long a worker takes from its start until it is ready, and how much memory it has then."""

from typing import Any

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.results import Result, make_result, spread
from benchmarks.harness.served import PATIENT, served
from model_store.manifest import read_manifest
from paretoserve.campaigns.compare import split_cores
from serving.cpu_plan import usable_cores

BACKENDS = ("onnxruntime", "openvino")


def measure_start(rounds: int) -> Result:
    """Each start is of a new server on all cores, the backends in turn."""
    model = benchmark_model()
    variant, (_, client_cores) = model.variant("dense"), split_cores()
    artifacts = read_manifest(variant).artifacts
    taken: list[dict[str, Any]] = []
    for number in range(rounds):
        for backend in BACKENDS:
            with served(f"{variant}@{backend}", usable_cores(), client_cores, PATIENT) as server:
                (worker,) = server.variant["workers"]
                taken.append(
                    {
                        "backend": backend,
                        "round": number,
                        "start_s": worker["start_s"],
                        "load_s": worker["load_s"],
                        "resident_mib": server.worker.memory_info().rss / 2**20,
                        "artifact_mib": artifacts[backend].bytes / 2**20,
                    }
                )
    settings = {"model": model.source, "rounds": rounds, "cores": list(usable_cores())}
    return make_result("start", settings, taken, {backend: _summary(taken, backend) for backend in BACKENDS})


def _summary(taken: list[dict[str, Any]], backend: str) -> dict[str, Any]:
    mine = [one for one in taken if one["backend"] == backend]
    return {
        "start_s": spread([one["start_s"] for one in mine]),
        "resident_mib": spread([one["resident_mib"] for one in mine]),
        "artifact_mib": mine[0]["artifact_mib"],
    }
