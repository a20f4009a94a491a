"""The models of a multi-model endpoint, and SageMaker's API over them; in this process, some with real workers."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from serving.cpu_plan import make_plan, usable_cores
from serving.front.app import Front, make_app
from serving.front.metrics import Metrics
from serving.front.model_memory import ModelMemory
from serving.front.models import Models
from serving.front.repository import Repository
from serving.front.server import make_repository
from serving.front.settings import Settings, VariantSpec
from tests.handlers.variants import write_code
from tests.serving.fake_replica import FakeReplica, fakes
from tests.serving.front_server import GatedModel, becomes, spec

GIB = 2**30
ECHO = """
def model_fn(model_dir):
    return None

def predict_fn(data, model):
    return {"answered": data["inputs"]}
"""


@dataclass
class Endpoint:
    repository: Repository
    models: Models
    http: httpx.AsyncClient

    async def load(self, name: str, folder: object) -> httpx.Response:
        return await self.http.post("/models", json={"model_name": name, "url": str(folder)})

    async def invoke(self, name: str, inputs: Any = "good", **headers: str) -> httpx.Response:
        return await self.http.post(f"/models/{name}/invoke", json={"inputs": inputs}, headers=headers)


def resolve(source: str) -> VariantSpec:
    folder = Path(source)
    return spec(folder, "python" if (folder / "code").is_dir() else "onnxruntime")


@asynccontextmanager
async def endpoint(hosts: Any = fakes, memory: ModelMemory | None = None, at_once: int = 2) -> AsyncIterator[Endpoint]:
    settings, metrics = Settings(streams=1, queue_deadline_s=60.0, multi_model=True), Metrics()
    plan = make_plan(usable_cores(), 1, streams=1)
    repository = make_repository(settings, plan, metrics, resolve, **({"hosts": hosts} if hosts else {}))
    models = Models(repository, metrics, memory or ModelMemory(64 * GIB), at_once, lambda: 64 * GIB)
    app: Any = make_app(Front(repository, settings, metrics, models=models))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server", timeout=100) as http:
        try:
            yield Endpoint(repository, models, http)
        finally:
            await repository.stop()


def assert_refused(answer: httpx.Response, code: int, kind: str, message: str) -> None:
    told = answer.json()
    assert (answer.status_code, told["code"], told["type"]) == (code, code, kind), told
    assert told.keys() == {"code", "type", "message"}
    assert message in told["message"]
    assert "Traceback" not in answer.text


# With workers of their own


@pytest.mark.timeout(300)
def test_a_model_is_loaded_asked_and_unloaded_and_its_process_is_gone_when_that_is_answered(dense: Path) -> None:
    async def work() -> None:
        async with endpoint(hosts=None) as server:
            assert (await server.load("m1", dense)).status_code == 200
            (answer,) = (await server.invoke("m1", "a good film")).json()
            assert answer.keys() == {"label", "score"}
            (pid,) = server.models.find("m1").pids
            worker = psutil.Process(pid)
            unloaded = await server.http.delete("/models/m1")
            assert (unloaded.status_code, worker.is_running()) == (200, False)
            assert_refused(await server.invoke("m1"), 404, "ModelNotFoundException", "Model not found: m1")

    asyncio.run(work())


@pytest.mark.timeout(300)
def test_what_a_model_has_admitted_is_answered_before_it_is_unloaded(tmp_path: Path) -> None:
    model = GatedModel(tmp_path / "gated")

    async def work() -> None:
        async with endpoint(hosts=None) as server:
            await server.load("m1", model.spec.folder)
            in_flight = asyncio.create_task(server.invoke("m1", "wait"))
            gate = await asyncio.to_thread((model.spec.folder / "gate").open, "w")
            unloading = asyncio.create_task(server.http.delete("/models/m1"))
            await becomes(lambda: not server.models.page("", 1)[0])
            assert not unloading.done()
            assert_refused(await server.load("m1", model.spec.folder), 409, "ConflictStatusException", "m1")
            gate.close()
            assert (await in_flight).json() == {"answered": "wait"}
            assert (await unloading).status_code == 200

    asyncio.run(work())


@pytest.mark.timeout(300)
def test_a_model_that_cannot_be_loaded_is_not_there_afterwards(tmp_path: Path) -> None:
    broken = write_code(tmp_path / "broken", "raise RuntimeError('no weights')")
    hungry = write_code(tmp_path / "hungry", "def model_fn(model_dir):\n    raise MemoryError('too large')")

    async def work() -> None:
        async with endpoint(hosts=None) as server:
            assert_refused(await server.load("m1", broken), 500, "InternalServerException", "no weights")
            assert_refused(await server.load("m1", hungry), 507, "InsufficientMemoryException", "too large")
            assert (await server.http.get("/models")).json() == {"models": []}
            assert list(server.repository) == []
            assert (await server.load("m1", write_code(tmp_path / "good", ECHO))).status_code == 200

    asyncio.run(work())


@pytest.mark.timeout(300)
def test_models_that_have_all_memory_as_it_is_measured_leave_none_for_another(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "echo", ECHO)

    async def work() -> None:
        memory = ModelMemory(GIB)
        async with endpoint(hosts=None, memory=memory) as server:
            assert (await server.load("m1", folder)).status_code == 200
            one = memory.overhead_bytes["python"]
            assert one > 10 * 2**20, "a Python with what a worker imports"
            memory.most_bytes = one + one // 2
            assert_refused(await server.load("m2", folder), 507, "InsufficientMemoryException", "unload another one")
            assert (await server.invoke("m1", "still here")).json() == {"answered": "still here"}
            await server.http.delete("/models/m1")
            assert (await server.load("m2", folder)).status_code == 200

    asyncio.run(work())


@pytest.mark.timeout(300)
def test_a_model_that_turns_out_to_be_larger_than_there_is_room_is_unloaded_again(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "echo", ECHO)

    async def work() -> None:
        async with endpoint(hosts=None, memory=ModelMemory(2**20, {"": 0})) as server:
            assert_refused(await server.load("m1", folder), 507, "InsufficientMemoryException", "needs about")
            assert list(server.repository) == []

    asyncio.run(work())


# The API


def test_a_name_is_loaded_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    async def work() -> None:
        async with endpoint() as server:
            answers = await asyncio.gather(*(server.load("m1", tmp_path) for _ in range(3)))
            assert sorted(one.status_code for one in answers) == [200, 409, 409]
            refused = next(one for one in answers if one.status_code == 409)
            assert_refused(refused, 409, "ConflictStatusException", "Model m1 is loaded already")

    asyncio.run(work())


@pytest.mark.parametrize(
    ("body", "code", "kind", "message"),
    [
        (b"", 400, "BadRequestException", "model_name"),
        (b"[]", 400, "BadRequestException", "model_name"),
        (b'{"model_name": "m1"}', 400, "BadRequestException", "url"),
        (b'{"model_name": "m1", "url": 7}', 400, "BadRequestException", "url"),
        (b'{"model_name": "", "url": "/"}', 400, "BadRequestException", "1 to 256 characters"),
        (b'{"model_name": "a/b", "url": "/"}', 400, "BadRequestException", "slashes"),
        (b'{"model_name": "m1", "url": "model"}', 400, "BadRequestException", "absolute"),
        (b'{"model_name": "m1", "url": "/no/such"}', 404, "ModelNotFoundException", "/no/such"),
        (b'{"model_name": "m1", "url": "/\\u0000"}', 404, "ModelNotFoundException", "There is no folder"),
        (b'{"model_name": "m1", "url": "/proc/version"}', 404, "ModelNotFoundException", "/proc/version"),
        (b'"' + b"x" * 70_000 + b'"', 413, "RequestEntityTooLargeException", "over the limit"),
        (b"\xff", 400, "BadRequestException", "model_name"),
    ],
)
def test_what_cannot_be_loaded_is_refused_with_the_reason(body: bytes, code: int, kind: str, message: str) -> None:
    async def work() -> None:
        async with endpoint() as server:
            assert_refused(await server.http.post("/models", content=body), code, kind, message)
            assert (await server.http.get("/models")).json() == {"models": []}

    asyncio.run(work())


@pytest.fixture
def as_settled() -> Iterator[None]:
    """As in a server: what was there before the first model is not looked through at each load."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("as_settled")
def test_models_are_listed_in_pages_by_their_names(tmp_path: Path) -> None:
    names = [f"m{number:03}" for number in range(205)]

    async def work() -> None:
        async with endpoint() as server:
            for name in reversed(names):
                await server.models.load(name, str(tmp_path))
            first = (await server.http.get("/models")).json()
            assert first["models"][0] == {"modelName": "m000", "modelUrl": str(tmp_path)}
            await server.models.unload("m099")  # the last one of the first page
            listed, token = [one["modelName"] for one in first["models"]], first["nextPageToken"]
            while token:
                page = (await server.http.get("/models", params={"next_page_token": token, "limit": 60})).json()
                listed, token = listed + [one["modelName"] for one in page["models"]], page.get("nextPageToken")
            assert listed == names

    asyncio.run(work())


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=-1", "next_page_token=é", "next_page_token=!"]
)
def test_a_page_that_cannot_be_is_refused(query: str) -> None:
    async def work() -> None:
        async with endpoint() as server:
            assert_refused(await server.http.get(f"/models?{query}"), 400, "BadRequestException", "must be")

    asyncio.run(work())


def test_a_model_is_described_and_one_that_is_not_loaded_is_404_to_every_call(tmp_path: Path) -> None:
    async def work() -> None:
        async with endpoint() as server:
            await server.load("m1", tmp_path)
            assert (await server.http.get("/models/m1")).json() == {"modelName": "m1", "modelUrl": str(tmp_path)}
            for answer in (
                await server.http.get("/models/m2"),
                await server.http.delete("/models/m2"),
                await server.invoke("m2"),
            ):
                assert_refused(answer, 404, "ModelNotFoundException", "Model not found: m2")
            assert_refused(await server.http.put("/models"), 405, "MethodNotAllowedException", "PUT /models")

    asyncio.run(work())


def test_invocations_ask_no_model_unless_they_name_one(tmp_path: Path) -> None:
    async def work() -> None:
        async with endpoint() as server:
            await server.load("m1", tmp_path)
            assert (await server.http.post("/invocations", json={"inputs": "x"})).status_code == 404
            named = {"X-Amzn-SageMaker-Target-Variant": "m1"}
            assert (await server.http.post("/invocations", json={"inputs": "x"}, headers=named)).status_code == 200
            assert (await server.invoke("m1", "x", **{"X-Amzn-SageMaker-Target-Model": "a/b.tar.gz"})).json() == {
                "inputs": "x"
            }

    asyncio.run(work())


def test_errors_of_a_model_are_told_in_the_same_words_and_keep_their_headers(tmp_path: Path) -> None:
    async def work() -> None:
        async with endpoint() as server:
            await server.load("m1", tmp_path)
            answer = await server.http.post("/models/m1/invoke", content=b"{", headers={"X-Request-Id": "order-8"})
            assert_refused(answer, 400, "BadRequestException", "not JSON")
            assert answer.headers["x-request-id"] == "order-8"
            assert int(answer.headers["content-length"]) == len(answer.content)

    asyncio.run(work())


def test_the_endpoint_is_healthy_with_and_without_models_until_it_drains(tmp_path: Path) -> None:
    async def work() -> None:
        async with endpoint() as server:
            assert (await server.http.get("/ping")).status_code == 200
            await server.load("m1", tmp_path)
            assert (await server.http.get("/ping")).json() == {"ready": True, "not_ready": []}
            await server.repository.drain()
            assert (await server.http.get("/ping")).status_code == 503
            assert (await server.http.get("/v2/health/ready")).status_code == 503
            refused = await server.load("m2", tmp_path)
            assert_refused(refused, 503, "ServiceUnavailableException", "shutting down")
            assert int(refused.headers["retry-after"]) >= 1

    asyncio.run(work())


def test_loads_wait_for_their_turn_and_more_than_may_wait_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicas: list[FakeReplica] = []

    def waiting(settings: Settings, plan: Any) -> Any:
        def make(spec: VariantSpec, listener: Any) -> FakeReplica:
            replicas.append(FakeReplica(spec, listener))
            return replicas[-1]

        return make

    async def work() -> None:
        monkeypatch.setattr("serving.tuning.MOST_LOADS_WAITING", 3)
        async with endpoint(hosts=waiting, at_once=1) as server:
            loads = [asyncio.create_task(server.load(f"m{number}", tmp_path)) for number in range(4)]
            await becomes(lambda: any(one.done() for one in loads) and replicas)
            (refused,) = [one.result() for one in loads if one.done()]
            assert_refused(refused, 503, "ServiceUnavailableException", "Too many models wait")
            assert len(replicas) == 1, "the others wait for their turn"
            assert_refused(await server.http.get("/models/m0"), 404, "ModelNotFoundException", "Model not found")
            for number in range(3):
                await becomes(lambda: len(replicas) == number + 1)  # noqa: B023  it is awaited here
                replicas[number].become_ready()
            assert [one.status_code for one in await asyncio.gather(*loads)].count(200) == 3

    asyncio.run(work())


def test_others_answer_and_the_endpoint_is_healthy_while_a_model_loads(tmp_path: Path) -> None:
    def hosts(settings: Settings, plan: Any) -> Any:
        return lambda spec, listener: FakeReplica(spec, listener, by_itself=spec.name == "m1")

    async def work() -> None:
        async with endpoint(hosts=hosts) as server:
            await server.load("m1", tmp_path)
            loading = asyncio.create_task(server.load("m2", tmp_path))
            await becomes(lambda: len(list(server.repository)) == 2)
            assert (await server.invoke("m1", "x")).json() == {"inputs": "x"}
            assert (await server.http.get("/ping")).json() == {"ready": True, "not_ready": ["m2"]}
            assert [one["modelName"] for one in (await server.http.get("/models")).json()["models"]] == ["m1"]
            loading.cancel()

    asyncio.run(work())


def test_nothing_is_kept_of_names_that_have_gone(tmp_path: Path) -> None:
    async def work() -> None:
        async with endpoint() as server:
            await server.load("m1", tmp_path)
            await server.invoke("m1")
            assert 'variant="m1"' in (await server.http.get("/metrics")).text
            await server.http.delete("/models/m1")
            assert 'variant="m1"' not in (await server.http.get("/metrics")).text

    asyncio.run(work())


def test_a_server_of_variants_has_no_such_api() -> None:
    async def work() -> None:
        settings, metrics = Settings(), Metrics()
        repository = make_repository(settings, make_plan(usable_cores(), 1), metrics)
        app: Any = make_app(Front(repository, settings, metrics))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as http:
            assert (await http.get("/models")).status_code == 404
            assert json.loads((await http.get("/models")).text)["type"] == "HTTPError"

    asyncio.run(work())
