"""A candidate alone on its cores, and what it says of itself."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from handlers.tasks.base import AnyTask
from handlers.tasks.catalogue import open_task
from paretoserve.campaigns.kept import Facts
from paretoserve.campaigns.settings import Comparison
from paretoserve.candidates.candidate import Candidate
from paretoserve.hosts.container import image_id, image_of, served_by_container
from paretoserve.hosts.endpoint import Served, describe_variants
from paretoserve.hosts.machine import split_cores
from paretoserve.hosts.process import served_by_process


def task_of(candidate: Candidate) -> AnyTask:
    return open_task(candidate.manifest.task, candidate.manifest.task_settings)


def serving(candidate: Candidate, comparison: Comparison, log_file: Path) -> AbstractContextManager[Served]:
    """The candidate on a fresh server.

    Raises:
        ParetoServeError: it cannot be served, or does not get ready.
    """
    cores, _ = split_cores()
    options = ("--queue-deadline", str(comparison.queue_deadline_s))
    if comparison.containers is not None:
        return served_by_container(candidate, log_file, options, cores, comparison.containers)
    return served_by_process([f"{candidate.folder}@{candidate.backend}"], log_file, options, cores)


def facts_of(url: str) -> Facts:
    """As the worker reports them: the engine may not be installed for this interpreter.

    Raises:
        ParetoServeError: the server does not answer.
    """
    engine: Any = describe_variants(url)[0].get("engine")
    if not isinstance(engine, dict):
        return Facts()
    return Facts(f"{engine['engine']} {engine['version']}", engine["executed_precision"])


def describe_host(comparison: Comparison) -> str:
    if comparison.containers is None:
        return "a process of this machine"
    backends = dict.fromkeys(candidate.backend for candidate in comparison.candidates)
    images = ", ".join(dict.fromkeys(f"{image_of(one)} ({image_id(one)})" for one in backends))
    return f"a container each of {images}, with {comparison.containers}"
