"""The models of a multi-model endpoint: loaded one by one while others answer, as far as the memory goes."""

import asyncio
import gc
import logging
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from model_store.errors import AlreadyLoaded, BackendError, BadInput, NoMemory, NotReady, ParetoServeError, UnknownModel
from serving import tuning
from serving.free_memory import give_back_free_memory
from serving.front.metrics import Metrics
from serving.front.model_memory import ModelMemory, available_bytes, folder_bytes, held_bytes
from serving.front.repository import Repository
from serving.front.variant import ServedVariant

log = logging.getLogger("paretoserve.models")

# Characters of a model's name: SageMaker makes them up, of letters and digits, and they stand in URLs.
NAME = re.compile(r"[^/\x00-\x20\x7f]{1,256}")

# What engines, and the kernel, say of a load for which there is no memory.
_OUT_OF_MEMORY = re.compile(r"MemoryError|bad_alloc|allocate memory|signal SIGKILL")

RETRY_AFTER_S = 5.0


class Model(NamedTuple):
    """One that is loaded, and the folder that it was loaded from."""

    name: str
    url: str


class Models:
    """Models by the names that their caller gives them. Each has a worker of its own in a repository's variant.

    `at_once` loads run at a time; others wait for their turn. Lives on the event loop.
    """

    def __init__(
        self,
        repository: Repository,
        metrics: Metrics,
        memory: ModelMemory,
        at_once: int = 1,
        free_bytes: Callable[[], int] = available_bytes,
    ) -> None:
        self._repository, self._metrics, self._memory, self._free_bytes = repository, metrics, memory, free_bytes
        self._turns = asyncio.Semaphore(at_once)
        self._loaded: dict[str, Model] = {}
        # The memory that is set aside for each; 0 for one that waits for its turn.
        self._loading: dict[str, int] = {}

    @property
    def is_draining(self) -> bool:
        return self._repository.draining

    def find(self, name: str) -> ServedVariant:
        """The variant that answers for a model; raises UnknownModel."""
        self.get(name)
        return self._repository.find(name)

    def get(self, name: str) -> Model:
        """Raises UnknownModel: it is not loaded, or not yet."""
        try:
            return self._loaded[name]
        except KeyError:
            raise UnknownModel(f"Model not found: {name[:256]}") from None

    def page(self, after: str, limit: int) -> tuple[Sequence[Model], str]:
        """Up to `limit` models by name from those after `after` on, and the name after which the next page begins;
        empty on the last one. Models that come and go meanwhile move no others to another page."""
        names = sorted(self._loaded)
        begin = bisect_right(names, after) if after else 0
        shown = names[begin : begin + limit]
        return [self._loaded[name] for name in shown], shown[-1] if begin + limit < len(names) else ""

    async def load(self, name: str, url: str) -> None:
        """Load the model in the folder `url`; it is ready to answer then.

        Raises:
            BadInput: the name is none, or there is nothing in the folder that can be served.
            UnknownModel: there is no such folder.
            AlreadyLoaded: a model of this name is loaded, or being loaded or unloaded.
            NoMemory: there is no memory for it.
            NotReady: too many loads wait for their turn, or the server shuts down.
            BackendError: it cannot be loaded.
        """
        self._refuse(name, url)
        self._loading[name] = 0
        try:
            async with self._turns:
                await self._load(name, url)
        finally:
            del self._loading[name]

    async def unload(self, name: str) -> None:
        """Answer what a model has admitted, and end its worker: its memory is free then. Raises UnknownModel."""
        self.get(name)
        del self._loaded[name]
        await self._forget(name)

    def _refuse(self, name: str, url: str) -> None:
        if not NAME.fullmatch(name):
            raise BadInput('"model_name" must be 1 to 256 characters without spaces and slashes.')
        if name in self._loaded or name in self._loading:
            raise AlreadyLoaded(f"Model {name} is loaded already; unload it first, or choose another name.")
        if not Path(url).is_absolute():
            raise BadInput('"url" must be the absolute path of the folder of a model.')
        if not Path(url).is_dir():
            raise UnknownModel(f"There is no folder {url[:256]!r} to load a model from.")
        if self.is_draining:
            raise NotReady("The server is shutting down; ask another one.")
        if len(self._loading) >= tuning.MOST_LOADS_WAITING:
            raise NotReady("Too many models wait to be loaded; try again.", RETRY_AFTER_S)

    async def _load(self, name: str, url: str) -> None:
        files_bytes = await asyncio.to_thread(folder_bytes, Path(url))
        # The engine is not known yet, and hardly matters: most images have one.
        needed = self._memory.needed_bytes(files_bytes, self._largest_backend())
        self._memory.check(needed, await self._taken_bytes(), self._free_bytes())
        self._loading[name] = needed
        try:
            variant = await self._repository.load(name, url)
        except AlreadyLoaded:
            raise
        except ParetoServeError as exc:
            raise BadInput(f"The model cannot be served. {exc}") from exc
        try:
            await variant.until_loaded()
            await self._measure(variant, name, files_bytes)
        except BaseException as exc:  # also where the server stops
            await self._forget(name)
            if isinstance(exc, BackendError) and _OUT_OF_MEMORY.search(str(exc)):
                raise NoMemory(f"There is no memory for the model; unload another one first. {exc}") from exc
            raise
        self._loaded[name] = Model(name, url)
        _give_back()
        log.info("model %s is loaded", name)

    def _largest_backend(self) -> str:
        overheads = self._memory.overhead_bytes
        return max(overheads, key=overheads.__getitem__, default="")

    async def _taken_bytes(self) -> int:
        """By the models that are loaded, and those that are being loaded."""
        pids = [pid for name in self._loaded for pid in self._repository.find(name).pids]
        return await asyncio.to_thread(held_bytes, pids) + sum(self._loading.values())

    async def _measure(self, variant: ServedVariant, name: str, files_bytes: int) -> None:
        """What the model really has, for the next one; it may be more than there is."""
        own = await asyncio.to_thread(held_bytes, variant.pids)
        self._memory.learn(variant.backend, files_bytes, own)
        self._loading[name] = 0
        self._memory.check(own, await self._taken_bytes(), self._free_bytes() + own)
        self._loading[name] = own

    async def _forget(self, name: str) -> None:
        backend = self._repository.find(name).backend
        await self._repository.unload(name)
        # There is no end of names; whoever counts requests has read the counters by now.
        self._metrics.forget_all(name, backend)
        _give_back()
        log.info("model %s is unloaded", name)


def _give_back() -> None:
    """Memory that a load or an unload used on its way. What the supervision of a worker leaves refers to itself."""
    gc.collect()
    give_back_free_memory()
