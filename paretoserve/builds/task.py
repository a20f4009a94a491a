"""Which task a variant is built for."""

from pathlib import Path

from handlers.tasks.base import AnyTask
from handlers.tasks.catalogue import DEFAULT_TASK, task_for
from model_store.manifest import MANIFEST_FILE, read_manifest
from networks.config import read_shape


def task_name(asked: str | None, checkpoint: Path) -> str:
    """The task that was asked for; without one that of the checkpoint, where it is a variant; or the default."""
    if asked is not None:
        return asked
    return read_manifest(checkpoint).task if (checkpoint / MANIFEST_FILE).is_file() else DEFAULT_TASK


def checkpoint_task(asked: str | None, checkpoint: Path) -> AnyTask:
    """The task, as the checkpoint's network serves it.

    Raises:
        StoreError: there is no such task.
        UnsupportedCheckpoint: the checkpoint cannot be read, or its network does not give what the task needs.
    """
    return task_for(task_name(asked, checkpoint), read_shape(checkpoint).labels)
