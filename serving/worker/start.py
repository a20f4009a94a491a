"""What every host of an engine does first: load a variant, and say what was loaded."""

import time
from collections.abc import Sequence
from pathlib import Path

from handlers.inferred import manifest_of
from handlers.own_code.requirements import install_requirements
from handlers.payloads.request import Limits
from serving.cpu_plan import StreamSplit
from serving.wire.messages import Ready
from serving.worker.facts import facts_of
from serving.worker.loading import Loaded, load_as_kept, load_fastest


def load_variant(
    folder: Path,
    backend: str,
    splits: Sequence[StreamSplit],
    batch_tokens: int,
    *,
    cores: tuple[int, ...] = (),
    served_as: str | None = None,
    limits: Limits | None = None,
    keeps_calibration: bool = False,
    install: bool = False,
) -> tuple[Loaded, Ready]:
    """Load the variant in `folder`, measure it, and keep the fastest of these splits of its cores.

    With `keeps_calibration` what was measured at an earlier start counts. With `install` what its code names in
    `requirements.txt` is installed first.

    The engine is opened on the thread that calls this. On some engines only threads born of that one have its settings,
    so an `Engine` must be made on the same thread.

    Raises:
        ParetoServeError: it cannot be loaded; see `handlers.handler.load_handler`.
    """
    started = time.monotonic()
    manifest = manifest_of(folder)
    if install:
        install_requirements(folder, manifest.code)
    load = load_as_kept if keeps_calibration else load_fastest
    loaded, speeds = load(folder, manifest, backend, splits, batch_tokens, cores)
    loaded.handler.served_as = served_as
    loaded.handler.limits = limits or Limits()
    facts = facts_of(folder, backend, loaded, speeds)
    load_s = time.monotonic() - started
    return loaded, Ready(facts, load_s, loaded.cost, loaded.call_tokens, loaded.split.streams)
