"""A user's own ONNX export behind a real server: nothing but the export in its folder, on both engines."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlers.backends.base import Logits
from recipes.data.tokens import Text
from tests.exported import AS_USUAL, Export, exported
from tests.serving.front_server import Front, front, spec, until
from tests.tiny import VOCABULARY, packed_texts, torch_logits

CLIENTS = 16
STATIC = Export(rows=4, width=24)

# A variant by the name it is served as, and what is computed beside the five tokens of one short text.
PADDING_OF_FIVE = {"ort": 0, "openvino": 8 - 5, "static": 4 * 24 - 5}


@pytest.fixture(scope="module")
def checkpoint(dense: Path) -> Path:
    return dense.parents[2] / "tiny"


@pytest.fixture(scope="module")
def server(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("exports")
    usual, static = (exported(checkpoint, folder / str(i), one) for i, one in enumerate((AS_USUAL, STATIC)))
    specs = [
        spec(usual, name="ort"),
        spec(usual, "openvino", "openvino"),
        spec(static, name="static"),
    ]
    with front(specs, queue_deadline_s=60.0) as served:
        yield served


@pytest.fixture(scope="module")
def texts() -> list[Text]:
    chance, words = random.Random(11), VOCABULARY[15:]
    return [(" ".join(chance.choices(words, k=chance.randint(1, 20))), None) for _ in range(160)]


@pytest.fixture(scope="module")
def expected(checkpoint: Path, texts: list[Text]) -> Logits:
    """What the fp32 network answers each text alone."""
    return np.concatenate([torch_logits(checkpoint, packed_texts(checkpoint, [text])) for text in texts])


def served_logits(server: Front, variant: str, *texts: str) -> Any:
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    request = {"inputs": [tensor], "outputs": [{"name": "logits"}]}
    (output,) = server.http.post(f"/v2/models/{variant}/infer", json=request).raise_for_status().json()["outputs"]
    return np.reshape(output["data"], output["shape"])


@pytest.mark.parametrize("variant", PADDING_OF_FIVE)
def test_concurrent_clients_get_what_the_network_answers_each_text_alone(
    server: Front, variant: str, texts: list[Text], expected: Logits
) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        found = np.concatenate(list(clients.map(lambda text: served_logits(server, variant, text[0]), texts)))
    assert np.ptp(expected[:, 0]) > 1e-3, "texts that all look alike would prove nothing"
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("variant", PADDING_OF_FIVE)
def test_texts_of_one_request_are_answered_in_order(
    server: Front, variant: str, texts: list[Text], expected: Logits
) -> None:
    found = served_logits(server, variant, *(text for text, _ in texts))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("variant", PADDING_OF_FIVE)
def test_padding_is_counted(server: Front, variant: str) -> None:
    names = ("inference_duration_seconds_count", "tokens_total", "padding_tokens_total")
    before = [server.metric(name, variant=variant) for name in names]
    served_logits(server, variant, "a good film")
    until(lambda: server.metric(names[0], variant=variant) > before[0])
    after = [server.metric(name, variant=variant) for name in names]
    assert np.subtract(after, before).tolist() == [1, 5, PADDING_OF_FIVE[variant]]


def test_variants_tells_the_layout_and_the_shapes(server: Front) -> None:
    told = server.variants()
    assert {one["artifact"]["layout"] for one in told.values()} == {"padded"}
    assert {name: (one["engine"]["grid"]["rows"], one["max_tokens"]) for name, one in told.items()} == {
        "ort": (None, 64),
        "openvino": (None, 64),
        "static": (4, 24),
    }
    assert all(one["cost"]["per_token_s"] >= 0 for one in told.values())


def test_a_text_longer_than_the_graph_is_cut_and_says_so(server: Front) -> None:
    answer = server.ask(["short", "good " * 40], "static")
    assert (answer.status_code, answer.headers["x-paretoserve-truncated"]) == (200, "1")
    assert "x-paretoserve-truncated" not in server.ask(["short", "good " * 40], "ort").headers


def test_pairs_are_answered_as_the_network_does(server: Front, checkpoint: Path) -> None:
    pair = {"text": "the film is good .", "text_pair": "it was dull"}
    logits = torch_logits(checkpoint, packed_texts(checkpoint, [(pair["text"], pair["text_pair"])]))[0]
    for variant in PADDING_OF_FIVE:
        parameters = {"top_k": None, "function_to_apply": "none"}
        answer = server.http.post(
            "/invocations",
            json={"inputs": pair, "parameters": parameters},
            headers={"X-Amzn-SageMaker-Target-Variant": variant},
        ).json()
        scores = {one["label"]: one["score"] for one in answer}
        assert [scores["negative"], scores["positive"]] == pytest.approx(logits, abs=1e-4)
