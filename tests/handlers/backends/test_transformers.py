"""Classifiers as Hugging Face's library runs them: those that our own network reads, and those that it does not."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from handlers.backends.base import ArtifactFile, Logits, Placement
from handlers.backends.catalogue import BACKENDS, open_session
from handlers.handler import Handler, load_handler
from handlers.inferred import manifest_of
from model_store.errors import BackendError, StoreError, UnsupportedCheckpoint
from networks.checkpoint import save_checkpoint
from networks.encoder.modules import PackedEncoder
from paretoserve.hosts.endpoint import describe_variants
from paretoserve.hosts.process import running_server
from tests.tiny import PAIRS, TEXTS, VOCABULARY, tiny_checkpoint, tiny_shape

MAX_TOKENS = 64
PADDED = ("transformers", "transformers-longest")


def distilbert(folder: Path, **changes: Any) -> Path:
    """A DistilBERT classifier of random weights, as the library itself saves one."""
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    config = DistilBertConfig(
        vocab_size=len(VOCABULARY),
        dim=32,
        hidden_dim=64,
        n_heads=2,
        n_layers=2,
        initializer_range=0.3,  # else all texts look about alike
        max_position_embeddings=MAX_TOKENS,
        id2label={0: "bad", 1: "good", 2: "fair"},
        **changes,
    )
    tiny_checkpoint(folder)  # for its tokenizer
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        DistilBertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {"distilbert": distilbert(folder / "distilbert"), "bert": tiny_checkpoint(folder / "bert")}


def library_logits(folder: Path, texts: list[tuple[str, str | None]]) -> Logits:
    """What the library answers by itself, to each text alone and without padding."""
    from tokenizers import Tokenizer
    from transformers import AutoModelForSequenceClassification

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    types = model.config.model_type == "bert"
    rows = []
    for text in texts:
        encoded = tokenizer.encode(*text)
        given = {"input_ids": encoded.ids} | ({"token_type_ids": encoded.type_ids} if types else {})
        with torch.inference_mode():
            rows.append(model(**{name: torch.tensor([ids]) for name, ids in given.items()}).logits.numpy())
    return np.concatenate(rows)


def opened(folder: Path, backend: str = "transformers") -> Handler:
    return load_handler(folder, manifest_of(folder), backend, Placement())


@pytest.mark.parametrize("backend", PADDED)
@pytest.mark.parametrize("name", ["bert", "distilbert"])
def test_logits_are_those_of_the_library_itself(folders: dict[str, Path], name: str, backend: str) -> None:
    texts = [*TEXTS, *PAIRS]
    handler = opened(folders[name], backend)
    expected = library_logits(folders[name], texts)
    tokens = [handler.model.tokenizer(*text) for text in texts]
    assert np.ptp(expected[:, 0]) > 1e-3, "texts that all look alike would prove nothing"
    assert np.concatenate([handler.infer([[one]]) for one in tokens]) == pytest.approx(expected, abs=1e-5)
    assert handler.infer([[one] for one in tokens]) == pytest.approx(expected, abs=1e-5), "texts of one request"


@pytest.mark.parametrize(("backend", "width"), [("transformers", MAX_TOKENS), ("transformers-longest", 9)])
def test_rows_are_as_wide_as_the_write_ups_pad_them(folders: dict[str, Path], backend: str, width: int) -> None:
    handler = opened(folders["bert"], backend)
    texts = [[handler.model.tokenizer(text)] for text in ("great", "a charming and funny film .")]
    lengths = [len(text) for (text,) in texts]
    assert max(lengths) == 8
    assert handler.padding_tokens(texts) == 2 * min(width, max(lengths) if width < MAX_TOKENS else width) - sum(lengths)
    assert handler.session_info is not None
    assert not handler.session_info.shares_calls


def test_what_runs_is_told(folders: dict[str, Path]) -> None:
    info = opened(folders["distilbert"]).session_info
    assert info is not None
    assert (info.engine, info.executed_precision) == ("transformers", "float32")
    assert info.version.startswith("5.")
    assert info.details["architecture"] == "DistilBertForSequenceClassification"
    assert info.operators["Linear"] == 2 * 6 + 2


def test_a_checkpoint_that_our_network_does_not_read_is_for_the_library(folders: dict[str, Path]) -> None:
    manifest = manifest_of(folders["distilbert"])
    assert (manifest.task_settings["labels"], manifest.max_tokens) == (["bad", "good", "fair"], MAX_TOKENS)
    ((name, artifact),) = manifest.artifacts.items()
    assert (name, artifact.file, artifact.layout) == ("transformers", "model.safetensors", "padded")
    assert list(manifest_of(folders["bert"]).artifacts) == ["torch"]
    with pytest.raises(StoreError, match="no artifact for backend 'torch'; it has: transformers"):
        opened(folders["distilbert"], "torch")


def test_a_checkpoint_that_answers_no_labels_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(folders["distilbert"], tmp_path / "masked", architectures=["DistilBertForMaskedLM"])
    with pytest.raises(UnsupportedCheckpoint, match="model_type = 'distilbert'"):
        manifest_of(folder)


def test_roberta_counts_its_positions_from_behind_the_padding(folders: dict[str, Path], tmp_path: Path) -> None:
    of_roberta = {"model_type": "roberta", "max_position_embeddings": 66, "pad_token_id": 1}
    folder = changed(
        folders["distilbert"], tmp_path / "r", architectures=["RobertaForSequenceClassification"], **of_roberta
    )
    assert manifest_of(folder).max_tokens == 64


def changed(folder: Path, copy: Path, **config: Any) -> Path:
    """A copy with another `config.json`."""
    copy.mkdir()
    for file in ("model.safetensors", "tokenizer.json"):
        (copy / file).symlink_to(folder / file)
    (copy / "config.json").write_text(json.dumps(json.loads((folder / "config.json").read_text()) | config))
    return copy


@pytest.mark.parametrize("shape", [{"heads": (2, 1)}, {"units": (64, 32)}, {"heads": (1, 1)}])
def test_a_pruned_network_is_refused_with_what_runs_it(tmp_path: Path, shape: dict[str, Any]) -> None:
    save_checkpoint(PackedEncoder(tiny_shape(**shape)), tmp_path)
    with pytest.raises(
        BackendError, match=r"cannot run 'model\.safetensors', .* were cut; serve the variant @torch, @onnxruntime"
    ):
        open_it(tmp_path)


def open_it(folder: Path, precision: str = "fp32") -> None:
    open_session("transformers", ArtifactFile(folder / "model.safetensors", precision), Placement())


def test_units_that_all_layers_have_lost_alike_are_no_obstacle(tmp_path: Path) -> None:
    save_checkpoint(PackedEncoder(tiny_shape(units=(32, 32))), tmp_path)
    open_it(tmp_path)


def test_other_precisions_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(BackendError, match="cannot run 'int8'; the precisions are fp32, bf16"):
        open_it(folders["bert"], "int8")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "no-such-model"}, r"cannot load 'model\.safetensors': .*no-such-model"),
        ({"pad_token_id": None}, "give its config.json the pad_token_id"),
        ({"id2label": {"0": "a", "1": "b"}}, r"has no weights that fit classifier\.(bias|weight)"),
        ({"auto_map": {"AutoConfig": "evil.Config"}, "model_type": "evil"}, "cannot load"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(
    folders: dict[str, Path], tmp_path: Path, config: dict[str, Any], told: str
) -> None:
    folder = changed(folders["distilbert"], tmp_path / "changed", **config)
    with pytest.raises(BackendError, match=told) as error:
        open_it(folder)
    assert str(tmp_path) not in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_that_are_not_there_are_not_made_up(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(folders["bert"], tmp_path / "deeper", num_hidden_layers=3, heads_kept=[2] * 3, units_kept=[64] * 3)
    with pytest.raises(BackendError, match=r"'model\.safetensors' has no weights that fit bert\.encoder\.layer\.2\."):
        open_it(folder)


@pytest.mark.timeout(60)
def test_it_reaches_for_no_network(folders: dict[str, Path]) -> None:
    code = (
        "import socket, sys\n"
        "def refused(*_): raise AssertionError('a connection')\n"
        "socket.socket.connect = socket.getaddrinfo = refused\n"
        "from pathlib import Path\n"
        "from handlers.backends.base import ArtifactFile, Placement\n"
        "from handlers.backends.catalogue import open_session\n"
        "open_session('transformers', ArtifactFile(Path(sys.argv[1])), Placement())"
    )
    command = [sys.executable, "-c", code, str(folders["distilbert"] / "model.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == "", "and it says nothing"


# Served


@pytest.fixture(scope="module")
def url(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    variants = [f"{folders['distilbert']}@transformers", f"{folders['bert']}@transformers-longest"]
    with running_server(variants, tmp_path_factory.mktemp("server") / "log") as url:
        yield url


@pytest.mark.timeout(120)
def test_it_is_served_over_http_as_every_other_backend(url: str, folders: dict[str, Path]) -> None:
    texts = [text for text, _ in TEXTS]
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    answer = httpx.post(f"{url}/v2/models/distilbert/infer", json={"inputs": [tensor]}).raise_for_status().json()
    logits = next(one for one in answer["outputs"] if one["name"] == "logits")
    expected = library_logits(folders["distilbert"], list(TEXTS))
    assert np.reshape(logits["data"], logits["shape"]) == pytest.approx(expected, abs=1e-5)
    labels = httpx.post(f"{url}/invocations", json={"inputs": texts}).raise_for_status().json()
    assert [one["label"] for one in labels] == [("bad", "good", "fair")[i] for i in expected.argmax(axis=1)]


@pytest.mark.timeout(120)
def test_requests_share_no_call_and_the_texts_of_one_have_one(url: str) -> None:
    before = calls_and_requests(url)
    texts = [text for text, _ in TEXTS] * 10  # more tokens, with padding, than calls of shared texts have
    httpx.post(f"{url}/invocations", json={"inputs": texts}).raise_for_status()
    httpx.post(f"{url}/invocations", json={"inputs": texts[0]}).raise_for_status()
    after = calls_and_requests(url)
    assert (after[0] - before[0], after[1] - before[1]) == (2, 2)


def calls_and_requests(url: str) -> tuple[float, float]:
    """How many calls the engine of the first variant had, and requests in them."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    (calls, requests) = (
        next(
            float(line.split()[1])
            for line in lines
            if line.startswith(f"paretoserve_batch_requests_{what}") and "distilbert" in line
        )
        for what in ("count", "sum")
    )
    return calls, requests


@pytest.mark.timeout(120)
def test_variants_shows_it_like_the_others(url: str) -> None:
    described: list[dict[str, Any]] = describe_variants(url)
    engines = {one["name"]: one["engine"] for one in described}
    assert engines["distilbert"]["engine"] == "transformers"
    assert engines["bert"]["engine"] == "transformers-longest"
    assert set(PADDED) <= BACKENDS.keys()
