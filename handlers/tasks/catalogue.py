"""The tasks by name. One is imported only when it is opened: the front and the command line need no arrays."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from model_store.errors import StoreError

if TYPE_CHECKING:  # for what needs names only
    from handlers.tasks.base import AnyTask

DEFAULT_TASK = "text-classification"

# The class of each task, which a manifest names by the key.
TASKS = {
    "text-classification": "handlers.tasks.text_classification:TextClassification",
}


def open_task(name: str, settings: dict[str, Any]) -> "AnyTask":
    """The task of a manifest, with the settings that stand there.

    Raises:
        StoreError: there is no such task, or it does not understand the settings.
    """
    try:
        return msgspec.convert(settings, _task_class(name))
    except msgspec.ValidationError as exc:
        raise StoreError(f"The settings of task {name!r} cannot be read ({exc}); build the variant again.") from exc


def task_for(name: str, outputs: Sequence[str]) -> "AnyTask":
    """A task for a checkpoint whose network calls its numbers `outputs`.

    Raises:
        StoreError: there is no such task.
        UnsupportedCheckpoint: the network does not give what the task needs.
    """
    return _task_class(name).for_network(outputs)


def settings_of(task: "AnyTask") -> dict[str, Any]:
    """What `open_task` makes the same task of, as a manifest holds it."""
    settings: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(task))
    return settings


def _task_class(name: str) -> "type[AnyTask]":
    if name not in TASKS:
        raise StoreError(f"There is no task {name!r}; choose from {', '.join(TASKS)}.")
    module, _, kind = TASKS[name].partition(":")
    found: type[AnyTask] = getattr(import_module(module), kind)
    return found
