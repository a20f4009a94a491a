import threading
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.common.shared_model import Prediction, SharedModel, padded
from benchmarks.peers.run import engine_labels
from handlers.tokens.packing import Tokens, pack
from tests.conftest import BuiltOnce
from tests.handlers.variants import build_dense
from tests.tiny import TEXTS

WORDS = tuple(text for text, _ in TEXTS)


@pytest.fixture(scope="module")
def variant(built_once: BuiltOnce) -> Path:
    return built_once("dense", build_dense)


def test_peers_give_the_labels_of_our_own_engine_one_by_one_and_in_a_batch(variant: Path) -> None:
    model, expected = SharedModel(variant), engine_labels(variant, WORDS)
    assert [model([text])[0]["label"] for text in WORDS] == expected
    assert [prediction["label"] for prediction in model(WORDS)] == expected


def test_company_does_not_change_a_score(variant: Path) -> None:
    model = SharedModel(variant)
    alone = [model([text])[0]["score"] for text in WORDS]
    np.testing.assert_allclose([p["score"] for p in model(WORDS)], alone, atol=1e-5)


def test_a_thread_started_after_the_model_may_call_it(variant: Path) -> None:
    model, answers = SharedModel(variant), list[list[Prediction]]()
    thread = threading.Thread(target=lambda: answers.append(model(["great"])))
    thread.start()
    thread.join()
    assert answers == [model(["great"])]


def test_a_thread_that_computes_with_denormals_is_refused(variant: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SharedModel(variant)
    monkeypatch.setattr("benchmarks.peers.common.shared_model._flushes_denormals", lambda: not model._flushes)
    with pytest.raises(RuntimeError, match="before the model"):
        model(["great"])


def test_a_padded_batch_is_what_our_own_packing_makes_of_one_text_a_row() -> None:
    ids, types = [[2, 5, 3], [2, 3]], [[0, 0, 1], [0, 0]]
    ours = pack([[Tokens(np.array(i), np.array(t))] for i, t in zip(ids, types, strict=True)]).inputs()
    theirs = padded(ids, types)
    assert theirs.keys() == ours.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(theirs[name], array, name)
