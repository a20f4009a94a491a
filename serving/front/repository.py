"""The variants that a server has, loaded and unloaded while it runs."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

from model_store.errors import AlreadyLoaded, UnknownVariant
from serving.free_memory import give_back_now_and_then, map_large_blocks
from serving.front.metrics import Metrics
from serving.front.orphans import inherits_orphans, reap_orphans
from serving.front.settings import VariantSpec
from serving.front.variant import ServedVariant

Resolve = Callable[[str], VariantSpec]
"""From `folder@backend` to what is to be served; it may take its time, and raises ParetoServeError."""


class Repository:
    """Variants by name, in the order in which they came. The first is the one asked where a request names none.

    `make` makes a variant, not started yet; `resolve` reads what a caller of `load` names. Lives on the event loop.
    """

    def __init__(self, make: Callable[[VariantSpec], ServedVariant], resolve: Resolve, metrics: Metrics) -> None:
        self._make, self._resolve, self._metrics = make, resolve, metrics
        self._variants: dict[str, ServedVariant] = {}
        self._unloading: dict[str, ServedVariant] = {}
        self._housekeeping: list[asyncio.Task[None]] = []
        self._added = 0
        self.default = ""
        self.draining = False

    @property
    def has_had_one(self) -> bool:
        """Whether there never was more than one variant here, so that whoever asks can mean no other."""
        return self._added == 1

    def __iter__(self) -> Iterator[ServedVariant]:
        return iter(list(self._variants.values()))

    def find(self, name: str) -> ServedVariant:
        """Raises UnknownVariant."""
        try:
            return self._variants[name]
        except KeyError:
            raise UnknownVariant(name, tuple(self._variants)) from None

    def add(self, spec: VariantSpec) -> ServedVariant:
        """Serve a variant from when it, or the whole repository, is started.

        Raises:
            AlreadyLoaded: its name is taken.
        """
        self._refuse_taken(spec.name)
        variant = self._variants[spec.name] = self._make(spec)
        self._added += 1
        self.default = next(iter(self._variants))
        return variant

    async def load(self, name: str, source: str) -> ServedVariant:
        """Serve what `source` (`folder@backend`) names as `name`; it is ready a while later.

        Raises:
            AlreadyLoaded: the name is taken.
            ParetoServeError: `source` is nothing that can be served.
        """
        self._refuse_taken(name)
        spec = await asyncio.to_thread(self._resolve, source)
        variant = self.add(replace(spec, name=name))
        variant.start()
        return variant

    async def unload(self, name: str) -> None:
        """Know a variant no more, answer what it has admitted, and end its workers.

        Raises:
            UnknownVariant: there is none of this name.
        """
        variant = self.find(name)
        self._unloading[name] = self._variants.pop(name)
        self.default = next(iter(self._variants), "")
        try:
            await variant.drain()
        finally:
            await variant.stop()
            del self._unloading[name]
            self._metrics.forget(name, variant.backend)

    def start(self) -> None:
        """Start all variants that were added."""
        map_large_blocks()
        work = [give_back_now_and_then(), *([reap_orphans()] if inherits_orphans() else [])]
        self._housekeeping = [asyncio.create_task(one) for one in work]
        for variant in self:
            variant.start()

    async def drain(self) -> None:
        """Admit nothing more, and return once everything admitted is answered."""
        self.draining = True
        await asyncio.gather(*(variant.drain() for variant in (*self, *self._unloading.values())))

    async def stop(self) -> None:
        """End all variants, whatever they have in hand."""
        await asyncio.gather(*(variant.stop() for variant in (*self, *self._unloading.values())))
        for task in self._housekeeping:
            task.cancel()

    def _refuse_taken(self, name: str) -> None:
        if name in self._variants or name in self._unloading:
            raise AlreadyLoaded(f"There is a variant {name!r} here; unload it first, or choose another name.")
