"""What a worker tells the front of itself: what `/variants` shows, and the tensors of its model under `v2`."""

from pathlib import Path
from typing import Any

import msgspec

from handlers.backends.catalogue import artifact_name
from handlers.own_code.entry import entry_name
from model_store.manifest import described
from serving.cpu_plan import StreamSplit
from serving.worker.loading import Loaded


def facts_of(folder: Path, backend: str, loaded: Loaded, speeds: dict[StreamSplit, float]) -> dict[str, Any]:
    """Of the variant in `folder`, loaded on a backend: its manifest, what was measured, and what really runs it."""
    manifest, cost, info = loaded.handler.manifest, loaded.cost, loaded.handler.session_info
    facts = described(manifest)
    # These are for the worker and for building; a reader of /variants wants the rest.
    del facts["golden"], facts["artifacts"], facts["code"], facts["predictions"]
    if entry_name(folder):
        facts["code"] = {"hashed": manifest.code is not None}
    if artifact := manifest.artifacts.get(artifact_name(backend, manifest.artifacts)):
        facts["artifact"] = {
            "file": artifact.file,
            "layout": artifact.layout,
            "precision": artifact.precision,
            "bytes": artifact.bytes,
            "files": {file: (folder / file).stat().st_size for file in artifact.sha256},
            "quality": msgspec.to_builtins(artifact.quality),
        }
    facts["cost"] = {name: getattr(cost, name) for name in cost.__struct_fields__}
    facts["call_tokens"] = loaded.call_tokens
    facts["split"] = str(loaded.split)
    facts["measured_tokens_per_s"] = {str(split): round(speed) for split, speed in speeds.items()}
    facts["engine"] = msgspec.to_builtins(info) if info else "the variant's own model_fn"
    facts["v2"] = loaded.handler.tensors
    return facts
