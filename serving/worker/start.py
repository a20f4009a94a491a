"""What every host of an engine does first: load a variant, and say what was loaded."""

import time
from collections.abc import Sequence
from pathlib import Path

from handlers.inferred import manifest_of
from handlers.payloads.request import Limits
from serving.cpu_plan import StreamSplit
from serving.wire.messages import Ready
from serving.worker.facts import facts_of
from serving.worker.loading import Loaded, load_fastest


def load_variant(
    folder: Path,
    backend: str,
    splits: Sequence[StreamSplit],
    batch_tokens: int,
    *,
    cores: tuple[int, ...] = (),
    served_as: str | None = None,
    limits: Limits | None = None,
) -> tuple[Loaded, Ready]:
    """Load the variant in `folder`, measure it, and keep the fastest of these splits of its cores.

    The engine is opened on the thread that calls this. On some engines only threads born of that one have its settings,
    so an `Engine` must be made on the same thread.

    Raises:
        ParetoServeError: it cannot be loaded; see `handlers.handler.load_handler`.
    """
    started = time.monotonic()
    loaded, speeds = load_fastest(folder, manifest_of(folder), backend, splits, batch_tokens, cores)
    loaded.handler.served_as = served_as
    loaded.handler.limits = limits or Limits()
    facts = facts_of(folder, backend, loaded, speeds)
    load_s = time.monotonic() - started
    return loaded, Ready(facts, load_s, loaded.cost, loaded.call_tokens, loaded.split.streams)
