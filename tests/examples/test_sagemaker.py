"""The scripts of examples/sagemaker, on a tiny BERT: what they answer is what the library computes."""

import json
import runpy
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from handlers.backends.base import Placement
from handlers.handler import Handler, load_handler
from handlers.inferred import manifest_of
from handlers.payloads.request import RawRequest
from paretoserve.hosts.process import running_server
from recipes.data.tokens import load_tokenizer
from tests.conftest import BuiltOnce
from tests.tiny import PAIRS, TEXTS, tiny_checkpoint

EXAMPLES = Path(__file__).parents[2] / "examples" / "sagemaker"
SENTENCES = [text for text, _ in TEXTS]


@pytest.fixture(scope="module")
def checkpoint(built_once: BuiltOnce) -> Path:
    return built_once("sagemaker-checkpoint", lambda folder: tiny_checkpoint(folder / "tiny"))


@pytest.fixture(autouse=True)
def _imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading user code is for a process of its own: it adds to the module path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delitem(sys.modules, "inference", raising=False)


def with_code(checkpoint: Path, example: str, folder: Path) -> Path:
    shutil.copytree(checkpoint, folder)
    shutil.copytree(EXAMPLES / example / "code", folder / "code")
    return folder


def opened(folder: Path) -> Handler:
    return load_handler(folder, manifest_of(folder), "transformers", Placement())


def ask(handler: Handler, payload: Any) -> Any:
    answer = handler.run_alone(handler.prepare(RawRequest(json.dumps(payload).encode(), "application/json")))
    assert answer.content_type == "application/json"
    return json.loads(answer.body)


def logits(checkpoint: Path, texts: Sequence[Any]) -> list[list[float]]:
    """What the library computes of each text or pair alone, without padding."""
    tokenizer = load_tokenizer(checkpoint / "tokenizer.json", 64)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    found = []
    for text in texts:
        row = tokenizer.encode(text) if isinstance(text, str) else tokenizer.encode(*text)
        names = {"input_ids": row.ids, "attention_mask": row.attention_mask, "token_type_ids": row.type_ids}
        with torch.inference_mode():
            found.append(model(**{name: torch.tensor([ids]) for name, ids in names.items()}).logits[0].tolist())
    return found


def test_bert_on_cola_answers_json_texts_with_logits(checkpoint: Path, tmp_path: Path) -> None:
    handler = opened(with_code(checkpoint, "cola", tmp_path / "model"))
    expected = logits(checkpoint, SENTENCES)
    np.testing.assert_allclose(ask(handler, SENTENCES), expected, atol=1e-5)
    np.testing.assert_allclose(ask(handler, {"inputs": SENTENCES}), expected, atol=1e-5)
    np.testing.assert_allclose(ask(handler, SENTENCES[0]), expected[:1], atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
def test_its_torchscript_twin_answers_the_same_and_texts_of_other_lengths_than_it_was_traced_with(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    monkeypatch.setattr(sys, "argv", ["trace.py", str(checkpoint), str(folder)])
    runpy.run_path(str(EXAMPLES / "cola-torchscript" / "trace.py"), run_name="__main__")
    shutil.copytree(EXAMPLES / "cola-torchscript" / "code", folder / "code")
    handler = load_handler(folder, manifest_of(folder), "python", Placement())
    np.testing.assert_allclose(ask(handler, SENTENCES), logits(checkpoint, SENTENCES), atol=1e-5)
    np.testing.assert_allclose(ask(handler, SENTENCES[3]), logits(checkpoint, SENTENCES[3:4]), atol=1e-5)


def test_pairs_are_answered_with_the_logits_of_each_pair(checkpoint: Path, tmp_path: Path) -> None:
    handler = opened(with_code(checkpoint, "nas", tmp_path / "model"))
    found = ask(handler, {"inputs": [list(pair) for pair in PAIRS]})
    np.testing.assert_allclose(found["logits"], logits(checkpoint, PAIRS), atol=1e-5)


def test_cola_is_served_on_the_transformers_backend(checkpoint: Path, tmp_path: Path) -> None:
    folder = with_code(checkpoint, "cola", tmp_path / "model")
    with running_server([f"{folder}@transformers"], tmp_path / "server.log") as address:
        answer = httpx.post(f"{address}/invocations", json=SENTENCES[:2], timeout=30)
        refused = httpx.post(f"{address}/invocations", content="film", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200
    np.testing.assert_allclose(answer.json(), logits(checkpoint, SENTENCES[:2]), atol=1e-5)
    assert refused.status_code == 400
    assert "send application/json, not text/plain" in refused.json()["error"]


def test_where_transformers_is_missing_the_error_says_which_environment_has_it(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = with_code(checkpoint, "cola", tmp_path / "model")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        Exception, match=r"no transformers: serve the folder as DIR@transformers .*paretoserve:transformers"
    ):
        load_handler(folder, manifest_of(folder), "torch", Placement())
