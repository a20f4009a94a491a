"""A variant's own code that takes a list: what waits while the worker is busy comes together. Real server and gate."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest

from tests.serving.front_server import Front, GatedModel, front, until

pytestmark = pytest.mark.timeout(180)


class GatedBatches(GatedModel):
    """Takes lists of up to five; each list that it saw is a line of `seen`, its texts joined by a plus sign."""

    CODE = """
from pathlib import Path

BATCH_SIZE = 5

class Teapot(Exception):
    status_code, message = 418, "short and stout"

def model_fn(model_dir):
    return Path(model_dir)

def predict_batch_fn(data, folder):
    texts = [one["inputs"] for one in data]
    with (folder / "seen").open("a") as seen:
        seen.write("+".join(texts) + "\\n")
    if "wait" in texts:
        (folder / "gate").read_text()
    if "fatal" in texts:
        raise KeyError("fatal")
    if "short" in texts:
        return texts[1:]
    return [Teapot() if text == "teapot" else {"answered": text} for text in texts]
"""


@pytest.fixture
def model(tmp_path: Path) -> GatedBatches:
    return GatedBatches(tmp_path / "gated")


@pytest.fixture
def server(model: GatedModel) -> Iterator[Front]:
    with front([model.spec], supervision={"BEAT_S": 0.02}) as served:
        yield served


def asked_while_busy(server: Front, model: GatedModel, texts: Sequence[str]) -> list["Future[httpx.Response]"]:
    """Ask these, one after the other, while the model waits at its gate; their answers."""
    first = server.asking("wait")
    with model.held():
        waiting = []
        for number, text in enumerate(texts, start=1):
            waiting.append(server.asking(text))
            until(lambda number=number: server.metric("queue_tokens") == number)  # type: ignore[misc]
    assert first.result().json() == {"answered": "wait"}
    return waiting


def test_what_waits_comes_as_one_list_in_its_order_and_no_longer_than_the_module_says(
    server: Front, model: GatedBatches
) -> None:
    texts = ["a", "b", "c", "d", "e", "f"]
    answers = asked_while_busy(server, model, texts)
    assert [one.result().json() for one in answers] == [{"answered": text} for text in texts]
    assert model.seen == ["wait", "a+b+c+d+e", "f"]
    assert server.variants()["gated"]["call_tokens"] == 5


def test_one_alone_waits_for_no_others(server: Front, model: GatedBatches) -> None:
    assert server.ask("alone").json() == {"answered": "alone"}
    assert model.seen == ["alone"]


def test_an_exception_in_the_list_is_the_answer_to_its_request_alone(server: Front, model: GatedBatches) -> None:
    first, second, third = (one.result() for one in asked_while_busy(server, model, ["a", "teapot", "b"]))
    assert (first.json(), third.json()) == ({"answered": "a"}, {"answered": "b"})
    assert (second.status_code, second.json()["error"]) == (418, "short and stout")
    assert model.seen == ["wait", "a+teapot+b"]


def test_a_call_that_raises_is_made_again_for_each_alone(server: Front, model: GatedBatches) -> None:
    first, second, third = (one.result() for one in asked_while_busy(server, model, ["a", "fatal", "b"]))
    assert (first.json(), third.json()) == ({"answered": "a"}, {"answered": "b"})
    assert (second.status_code, second.json()["type"]) == (500, "BackendError")
    assert "predict_batch_fn failed: KeyError: 'fatal'" in second.json()["error"]
    assert "Traceback" not in second.text
    assert model.seen == ["wait", "a+fatal+b", "a", "fatal", "b"]
    assert server.metric("worker_restarts_total") == 0


def test_a_list_of_another_length_is_an_error_of_all_that_were_in_it(server: Front, model: GatedBatches) -> None:
    for one in asked_while_busy(server, model, ["a", "short", "b"]):
        assert one.result().status_code == 500
        assert "returned 2 predictions for 3 requests; return a list with one for each" in one.result().text
    assert model.seen == ["wait", "a+short+b"]
    assert server.ask("next").json() == {"answered": "next"}


def test_whoever_left_or_is_late_is_in_no_list(server: Front, model: GatedBatches) -> None:
    first = server.asking("wait")
    with model.held():
        late = server.ask("late", X_Request_Timeout_Ms="50")
        with pytest.raises(httpx.ReadTimeout):
            server.http.post("/invocations", json={"inputs": "left"}, timeout=0.3)
        stays = server.asking("stays")
        until(lambda: server.metric("in_flight_requests") == 2)
    assert late.status_code == 504
    assert first.result().status_code == 200
    assert stays.result().json() == {"answered": "stays"}
    assert model.seen == ["wait", "stays"]


def test_requests_with_tensors_and_others_are_in_lists_of_their_own(tmp_path: Path) -> None:
    class Both(GatedBatches):
        CODE = """
from pathlib import Path

V2_INPUTS = V2_OUTPUTS = [{"name": "x", "datatype": "BYTES", "shape": [1]}]

def model_fn(model_dir):
    return Path(model_dir)

def predict_batch_fn(data, folder):
    texts = [one.get("inputs") or one["x"][0] for one in data]
    with (folder / "seen").open("a") as seen:
        seen.write("+".join(texts) + "\\n")
    if "wait" in texts:
        (folder / "gate").read_text()
    return [{"x": one["x"]} if "x" in one else one["inputs"] for one in data]
"""

    def infer(there: Front, text: str) -> httpx.Response:
        tensor = {"name": "x", "datatype": "BYTES", "shape": [1], "data": [text]}
        return there.http.post("/v2/models/gated/infer", json={"inputs": [tensor]})

    model = Both(tmp_path / "gated")
    with front([model.spec], supervision={"BEAT_S": 0.02}) as server:
        first = server.asking("wait")
        with model.held():
            plain = [server.asking(text) for text in "ab"]
            tensors = [server.threads.submit(infer, server, text) for text in "xy"]
            until(lambda: server.metric("queue_tokens") == 4)
        assert [one.result().json() for one in [first, *plain]] == ["wait", "a", "b"]
        assert [one.result().json()["outputs"][0]["data"] for one in tensors] == [["x"], ["y"]]
    assert {frozenset(line.split("+")) for line in model.seen} == {
        frozenset({"wait"}),
        frozenset("ab"),
        frozenset("xy"),
    }
