"""What a container costs: its throughput beside the same server outside, its start, and the size of its image."""

import time
from contextlib import ExitStack
from typing import Any

from benchmarks.harness.model import benchmark_model
from benchmarks.harness.places import RUNS
from benchmarks.harness.results import Result, make_result, ratios, spread
from benchmarks.harness.sentences import Sentences, load_sentences
from benchmarks.harness.served import PATIENT, Served, served
from paretoserve.campaigns.compare import split_cores
from paretoserve.candidates.candidate import Candidate, parse_candidate
from paretoserve.hosts.container import Limits, docker, image_id, image_of, running_container
from serving.cpu_plan import usable_cores

BACKENDS = ("onnxruntime", "openvino", "torch")
IMAGES = ("onnxruntime", "openvino", "torch", "deepsparse", "torchserve")
BASE = "python:3.11-slim-bookworm"
LOG = RUNS / "container.log"
WARM_UP_REQUESTS = 300


def measure_containers(rounds: int, seconds: float, clients: int) -> Result:
    """Inside and outside run at once on the same core and are asked in turns: the machine is the same for both."""
    model, sentences = benchmark_model(), load_sentences()
    taken: list[dict[str, Any]] = []
    for backend in BACKENDS:
        candidate = parse_candidate(f"{model.variant('dense')}@{backend}")
        taken += [{"backend": backend, "start_s": _start_s(candidate)} for _ in range(rounds)]
        taken += [{"backend": backend, **one} for one in _in_turns(candidate, sentences, rounds, seconds, clients)]
    summary = {
        "backends": {backend: _summary([one for one in taken if one["backend"] == backend]) for backend in BACKENDS},
        "images": {image: {"mb_over_base": _mb(image_of(image)) - _mb(BASE)} for image in IMAGES},
    }
    settings = {
        "model": model.source,
        "sentences": sentences.source,
        "clients": clients,
        "seconds": seconds,
        "images": {backend: image_id(backend) for backend in BACKENDS},
    }
    return make_result("containers", settings, taken, summary)


def _start_s(candidate: Candidate) -> float:
    """From `docker run` to the first 200 of `/ping`, on all cores; asked every tenth of a second."""
    began = time.perf_counter()
    with running_container(candidate, LOG, (), usable_cores(), Limits()):
        return time.perf_counter() - began


def _in_turns(
    candidate: Candidate, sentences: Sentences, rounds: int, seconds: float, clients: int
) -> list[dict[str, Any]]:
    """Requests a second of both, in each round one after the other."""
    server_cores, client_cores = split_cores()
    with ExitStack() as stack:
        outside = stack.enter_context(served(f"{candidate.folder}@{candidate.backend}", server_cores, client_cores))
        url = stack.enter_context(running_container(candidate, LOG, PATIENT, server_cores, Limits()))
        places = {"outside": outside, "inside": Served(url, client_cores)}
        for server in places.values():
            server.load(sentences.bodies(), requests=WARM_UP_REQUESTS)
        found = []
        for number in range(rounds):
            order = sorted(places, reverse=number % 2 == 1)
            rates = {
                place: places[place].load(sentences.bodies(), seconds=seconds, clients=clients).figures()
                for place in order
            }
            found.append({"round": number, **{f"{place}_per_s": rates[place]["requests_per_s"] for place in places}})
    return found


def _summary(mine: list[dict[str, Any]]) -> dict[str, Any]:
    both = [one for one in mine if "inside_per_s" in one]
    inside, outside = ([one[f"{place}_per_s"] for one in both] for place in ("inside", "outside"))
    return {
        "start_s": spread([one["start_s"] for one in mine if "start_s" in one]),
        "inside_per_s": spread(inside),
        "inside_over_outside": spread(ratios(inside, outside)),
    }


def _mb(image: str) -> float:
    return int(docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6
