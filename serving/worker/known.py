"""What is known of a variant before it is loaded. Imports no engine."""

from pathlib import Path
from typing import Any

from handlers.inferred import manifest_of
from handlers.open_inference import tensors_of
from handlers.own_code.entry import entry_name
from handlers.tasks.catalogue import open_task


def facts_before_loading(folder: Path) -> dict[str, Any]:
    """Of the variant in `folder`, before it is loaded: its tensors, unless those are for its own code to say.

    Raises:
        ParetoServeError: its manifest cannot be read; nor will it load.
    """
    if entry_name(folder) is not None:
        return {}
    manifest = manifest_of(folder)
    return {"v2": tensors_of(open_task(manifest.task, manifest.task_settings))}
