"""The models of a multi-model endpoint: loaded into the container on first use, the one used longest ago makes room."""

import asyncio
import hashlib
from pathlib import Path

import msgspec

from paretoserve.sagemaker.emulator.container import Container
from paretoserve.sagemaker.emulator.description import Endpoint
from paretoserve.sagemaker.emulator.errors import model_error, model_not_ready, validation_error

ARCHIVE = ".tar.gz"

_ANSWER_BYTES = 64 * 1024
_JSON = ((b"content-type", b"application/json"),)


class Models:
    """What the container has loaded, the last one used at the end.

    SageMaker downloads `TargetModel` and extracts it; here it is a folder of that name, or of the name without
    `.tar.gz`. The container gets a name of its own for it, as there.
    """

    def __init__(self, endpoint: Endpoint, container: Container) -> None:
        self._endpoint, self._container = endpoint, container
        self._root = Path(endpoint.models or ".").resolve()
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._loaded: dict[str, None] = {}

    async def path(self, target: str) -> str:
        """Where the container answers for this model, once it is loaded.

        Raises:
            PlatformError: there is no such model, the container cannot load it, or it is not loaded in time.
        """
        name = hashlib.sha256(target.encode()).hexdigest()[:32]
        if name in self._loaded:
            self._loaded[name] = self._loaded.pop(name)
        else:
            await self._once_loaded(name, target)
        return f"/models/{name}/invoke"

    def forget(self, path: str) -> None:
        """The container knows this model no more, as after it was started anew."""
        self._loaded.pop(path.split("/")[2], None)

    async def _once_loaded(self, name: str, target: str) -> None:
        """However many wait for it, it is loaded once; and goes on loading when they give up."""
        if name not in self._loading:
            self._loading[name] = asyncio.create_task(self._load(name, self._folder(target)))
            self._loading[name].add_done_callback(lambda task: self._over(name, task))
        done, _ = await asyncio.wait([self._loading[name]], timeout=self._endpoint.timeout_s)
        if not done:
            raise model_not_ready(f"Model {target} is still loading; try again.")
        await done.pop()

    def _over(self, name: str, task: "asyncio.Task[None]") -> None:
        del self._loading[name]
        if not task.cancelled():
            task.exception()  # those who waited have it; where all gave up, nobody wants it

    def _folder(self, target: str) -> Path:
        folder = (self._root / target.removesuffix(ARCHIVE)).resolve()
        if not folder.is_relative_to(self._root) or folder == self._root or not folder.is_dir():
            raise validation_error(f"Failed to download model data ({target}); there is no such model.")
        return folder

    async def _load(self, name: str, folder: Path) -> None:
        told = msgspec.json.encode({"model_name": name, "url": str(folder)})
        while (answer := await self._told("POST", "/models", told))[0] == 507 and self._loaded:
            await self._unload(next(iter(self._loaded)))
        status, message = answer
        if status not in (200, 409):
            raise model_error(self._endpoint, status, message)
        self._loaded[name] = None

    async def _unload(self, name: str) -> None:
        del self._loaded[name]
        status, message = await self._told("DELETE", f"/models/{name}")
        if status not in (200, 404):
            raise model_error(self._endpoint, status, message)

    async def _told(self, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
        async with self._container.asked(method, path, _JSON, body) as answer:
            return answer.status, (await answer.read(_ANSWER_BYTES)).decode(errors="replace")
