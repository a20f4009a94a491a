"""Calls of AWS as data: what is planned can be printed, carried out, and taken back."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from serving.front.environment import worker_environment

Service = Literal["s3", "sagemaker", "application-autoscaling"]

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Upload:
    """The argument of a call that is the contents of a file."""

    path: Path
    source: str
    """What people know it by."""

    def __str__(self) -> str:
        return f"<{self.path.stat().st_size} bytes: {self.source}>"


@dataclass(frozen=True, slots=True)
class Call:
    """One call, with its name and its arguments as the API spells them."""

    service: Service
    operation: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A call that makes `what`, and the one that removes it again; None where it goes with something else."""

    what: str
    call: Call
    undo: Call | None = None


def as_json(calls: Iterable[Call]) -> str:
    """For people and scripts, without what may be secret."""
    shown = [
        {"service": one.service, "operation": one.operation, "arguments": _without_secrets(one.arguments)}
        for one in calls
    ]
    return json.dumps(shown, indent=2, default=str, ensure_ascii=False)


def secrets_in(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Values of a container's environment that may be secret: those that its workers would not get by themselves."""
    environment = arguments.get("PrimaryContainer", {}).get("Environment", {})
    return tuple(value for name, value in environment.items() if value and name not in worker_environment(environment))


def _without_secrets(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    if not secrets_in(arguments):
        return arguments
    container = arguments["PrimaryContainer"]
    usual = worker_environment(container["Environment"])
    shown = {name: value if name in usual else HIDDEN for name, value in container["Environment"].items()}
    return {**arguments, "PrimaryContainer": {**container, "Environment": shown}}
