"""Variants loaded and unloaded while a server runs: a real server object in this process, with real workers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from model_store.errors import ParetoServeError, UnknownVariant
from serving.cpu_plan import make_plan, usable_cores
from serving.front import repository
from serving.front.app import Front, make_app
from serving.front.metrics import Metrics
from serving.front.repository import Repository
from serving.front.server import make_repository, no_sources
from serving.front.settings import Settings, VariantSpec
from tests.serving.fake_replica import fakes
from tests.serving.front_server import GatedModel, becomes, spec


@dataclass
class Server:
    repository: Repository
    http: httpx.AsyncClient

    async def ask(self, inputs: Any, variant: str = "") -> httpx.Response:
        headers = {"X-Amzn-SageMaker-Target-Variant": variant} if variant else {}
        return await self.http.post("/invocations", json={"inputs": inputs}, headers=headers)

    async def metrics(self) -> str:
        return (await self.http.get("/metrics")).text


@asynccontextmanager
async def serving(resolve: Callable[[str], VariantSpec] = no_sources, hosts: Any = None) -> AsyncIterator[Server]:
    """A server without variants."""
    settings, metrics = Settings(streams=1, queue_deadline_s=60.0), Metrics()
    plan = make_plan(usable_cores(), 1, streams=1)
    repository = make_repository(settings, plan, metrics, resolve, **({"hosts": hosts} if hosts else {}))
    app: Any = make_app(Front(repository, settings, metrics))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server", timeout=60) as http:
        try:
            yield Server(repository, http)
        finally:
            await repository.stop()


def at(source: str) -> VariantSpec:
    """Reads `folder@backend`."""
    folder, _, backend = source.rpartition("@")
    return spec(Path(folder), backend)


def test_variants_come_and_go_while_requests_are_answered(dense: Path, tmp_path: Path) -> None:
    model = GatedModel(tmp_path / "gated")

    async def work() -> None:
        async with serving(at) as server:
            assert (await server.ask("good")).status_code == 404
            await server.repository.load("first", f"{model.spec.folder}@python")
            await becomes(lambda: server.repository.find("first").ready)
            assert (await server.ask("one")).json() == {"answered": "one"}
            await server.repository.load("second", f"{dense}@onnxruntime")
            await becomes(lambda: server.repository.find("second").ready)
            assert (await server.ask("a good film", "second")).json()[0].keys() == {"label", "score"}
            await _unload_while_one_is_in_flight(server, model)
            refused = await server.ask("good", "first")
            assert (refused.status_code, "choose one of second" in refused.text) == (404, True)
            # The first one that is left is asked where a request names none.
            assert (await server.ask("good")).headers["x-amzn-invoked-production-variant"] == "second"

    asyncio.run(work())


async def _unload_while_one_is_in_flight(server: Server, model: GatedModel) -> None:
    (worker,) = (one["workers"][0]["pid"] for one in await _described(server, "first"))
    process = psutil.Process(worker)
    in_flight = asyncio.create_task(server.ask("wait", "first"))
    entered = await asyncio.to_thread(_open_gate, model)
    unloading = asyncio.create_task(server.repository.unload("first"))
    await asyncio.sleep(0)
    assert (await server.ask("late", "first")).status_code == 404
    with pytest.raises(ParetoServeError, match="unload it first"):
        await server.repository.load("first", f"{model.spec.folder}@python")
    assert not unloading.done()
    assert process.is_running()
    entered.close()
    assert (await in_flight).json() == {"answered": "wait"}
    await unloading
    assert not process.is_running()
    assert "late" not in model.seen
    assert 'paretoserve_worker_ready{backend="python",variant="first"}' not in await server.metrics()
    assert 'requests_total{backend="python",code="200",variant="first"} 2.0' in await server.metrics()


def _open_gate(model: GatedModel) -> Any:
    return (model.spec.folder / "gate").open("w")


async def _described(server: Server, name: str) -> list[dict[str, Any]]:
    variants = (await server.http.get("/variants")).json()["variants"]
    return [one for one in variants if one["name"] == name]


def toy(source: str) -> VariantSpec:
    return VariantSpec(source, Path(source), "fake")


def test_a_name_is_taken_once() -> None:
    async def work() -> None:
        async with serving(toy, fakes) as server:
            await server.repository.load("one", "a")
            with pytest.raises(ParetoServeError, match="There is a variant 'one' here"):
                await server.repository.load("one", "b")
            with pytest.raises(ParetoServeError, match="There is a variant 'one' here"):
                server.repository.add(toy("one"))
            await server.repository.unload("one")
            await server.repository.load("one", "b")
            assert [variant.name for variant in server.repository] == ["one"]

    asyncio.run(work())


def test_what_is_not_there_is_not_unloaded_and_what_cannot_be_resolved_not_loaded() -> None:
    async def work() -> None:
        async with serving(hosts=fakes) as server:
            with pytest.raises(UnknownVariant, match="There is no variant 'none'"):
                await server.repository.unload("none")
            with pytest.raises(ParetoServeError, match="'a@torch' cannot be loaded"):
                await server.repository.load("one", "a@torch")
            assert list(server.repository) == []
            assert (await server.http.get("/ping")).status_code == 200

    asyncio.run(work())


def test_a_variant_is_loaded_under_another_name_than_its_own() -> None:
    async def work() -> None:
        async with serving(toy, fakes) as server:
            await server.repository.load("other", "a")
            await becomes(lambda: server.repository.find("other").ready)
            assert (await server.ask("x", "other")).json() == {"inputs": "x"}
            assert (await server.http.get("/variants")).json()["default"] == "other"

    asyncio.run(work())


@pytest.mark.timeout(60)
def test_the_front_gives_back_free_memory_while_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    async def until_it_does() -> None:
        gives_back = asyncio.Event()

        async def giving_back() -> None:
            gives_back.set()

        monkeypatch.setattr(repository, "give_back_now_and_then", giving_back)
        async with serving(hosts=fakes) as server:
            server.repository.start()
            await gives_back.wait()

    asyncio.run(until_it_does())
