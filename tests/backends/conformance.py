"""What every engine promises, in every layout and precision. A new backend passes all of it by one line in `CASES`."""

import random
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from handlers.backends.base import Batch, Logits
from handlers.backends.catalogue import BACKENDS, artifact_name
from handlers.pipeline import Pipeline
from handlers.tasks.text_classification import TextClassification
from handlers.tokens.packing import PackedBatch, Tokens, pack
from handlers.tokens.padding import PaddedBatch
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError
from model_store.manifest import Layout
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import PACKED_INPUTS
from paretoserve.environments.catalogue import interpreter_for, is_installed
from tests.backends.engine_process import Config
from tests.backends.remote import RemoteSession, remote_session
from tests.environments import use_only
from tests.exported import exported
from tests.handlers.variants import build_tiny
from tests.tiny import PAIRS, TEXTS, VOCABULARY, tiny_checkpoint

# What no machine of ours has is asked of those who have it.
NOT_HERE = {"torch-cuda"}

TASK = TextClassification(("negative", "positive"))
STREAMS = 2
LONGEST = 64
RANDOM_TEXTS = 1000
MANY_CALLS = 2000
# Of 2 000 calls that leave a page of memory behind each.
GROWTH_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Case:
    """A backend as the suite meets it.

    `file` is its artifact in the variant, `executed` what it must say that it runs. Logits may be off the fp32
    reference by `tolerance`, and off themselves in other company by `company`: rounding to bytes goes either way.
    """

    backend: str
    file: str
    layout: Layout = "packed"
    variant: str = "dense"
    precision: str = "fp32"
    executed: tuple[str, ...] = ("fp32", "f32", "float32")
    tolerance: float = 1e-5
    company: float = 1e-5
    module: str | None = None

    def __str__(self) -> str:
        return f"{self.backend}-{self.precision}-{self.layout}"

    @property
    def marks(self) -> list[pytest.MarkDecorator]:
        return [pytest.mark.engines] if self.backend in NOT_QUICK else []


# The first test of a case waits until its environment is made.
pytestmark = pytest.mark.timeout(900)

# Tested by make test-all alone: an engine that is in no environment but its own, and one that compiles for seconds.
NOT_QUICK = {"deepsparse", "torch-compiled"}

BF16 = ("bfloat16",)

CASES = (
    Case("torch", "model.safetensors"),
    Case("torch", "model.safetensors", variant="bf16", precision="bf16", executed=BF16, tolerance=0.02, company=0.02),
    Case("torch-compiled", "model.safetensors"),
    Case("torchscript", "model.pt"),
    Case("torchscript", "model.pt", variant="bf16", precision="bf16", executed=BF16, tolerance=0.02, company=0.02),
    Case("transformers", "model.safetensors", layout="padded"),
    Case("transformers-longest", "model.safetensors", layout="padded"),
    Case("onnxruntime", "model.onnx"),
    Case("onnxruntime", "model.onnx", layout="padded", variant="export"),
    Case("onnxruntime", "model.onnx", variant="int8", precision="int8", executed=("int8",), tolerance=0.1, company=0.1),
    Case("openvino", "model.xml"),
    Case("openvino", "model.onnx", layout="padded", variant="export"),
    # NNCF clips what the few calibration texts did not have, as texts longer than they are.
    Case("openvino", "model.xml", variant="int8", precision="int8", executed=("int8+f32",), tolerance=0.5, company=0.1),
    Case("deepsparse", "model.deepsparse.onnx"),
    Case(
        "deepsparse",
        "model.deepsparse.onnx",
        variant="int8",
        precision="int8",
        executed=("int8",),
        tolerance=0.1,
        company=0.1,
    ),
)


@dataclass(frozen=True, slots=True)
class Material:
    """What a case is tested with: the interpreter of its backend, the folder of its variant, a tokenizer for it, and
    what the fp32 network answers to texts, each by itself."""

    case: Case
    interpreter: Path
    folder: Path
    tokenizer: TextTokenizer
    path: Path | None = None

    def opened(self, file: Path | None = None) -> AbstractContextManager[RemoteSession]:
        case = self.case
        config = Config(
            backend=case.backend,
            artifact=str(file or self.folder / case.file),
            precision=case.precision,
            layout=case.layout,
            streams=STREAMS,
            max_tokens=LONGEST,
            module=case.module,
        )
        return remote_session(self.interpreter, config, self.path)


def random_texts(count: int, seed: int = 0) -> list[Tokens]:
    dice = np.random.default_rng(seed)
    lengths = dice.integers(2, LONGEST, count, endpoint=True)
    return [Tokens(dice.integers(len(VOCABULARY), size=n), dice.integers(2, size=n)) for n in lengths]


def in_company(texts: Sequence[Tokens], seed: int = 0) -> list[list[list[Tokens]]]:
    """The texts in calls of one to three rows of one to four texts."""
    dice, rest, calls = random.Random(seed), list(texts), []
    while rest:
        call = []
        for _ in range(dice.randint(1, 3)):
            size = dice.randint(1, 4)
            row, rest = rest[:size], rest[size:]
            call += [row] if row else []
        calls.append(call)
    return calls


class Reference:
    """What the fp32 network answers to texts, each by itself: logits (texts, labels)."""

    def __init__(self, checkpoint: Path) -> None:
        self._network = load_checkpoint(checkpoint)

    def __call__(self, texts: Sequence[Tokens]) -> Logits:
        batches = [pack([[text]]).inputs() for text in texts]
        torch.set_num_threads(1)  # a second one would only wait for the first
        with torch.inference_mode():
            logits = [self._network(*(torch.from_numpy(one[name]) for name in PACKED_INPUTS)) for one in batches]
        return torch.cat(logits).numpy()


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(tiny_checkpoint(tmp_path_factory.mktemp("reference") / "tiny"))


@pytest.fixture(scope="session")
def random_reference(reference: Reference) -> Logits:
    return reference(random_texts(RANDOM_TEXTS))


@pytest.fixture(scope="module", params=[pytest.param(case, id=str(case), marks=case.marks) for case in CASES])
def material(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Material]:
    """The case in the environment of its backend, or in ours: there if it has one and that is asked for or needed."""
    case: Case = request.param
    with pytest.MonkeyPatch.context() as patch:
        in_environment = request.config.getoption("--environments") or not is_installed(case.backend)
        if in_environment and case.backend in BACKENDS and BACKENDS[case.backend].environment:
            use_only([case.backend], tmp_path_factory.mktemp("environments"), patch)
        folder = variant_of(case, tmp_path_factory.mktemp("variant"))
        tokenizer = TextTokenizer(folder / "tokenizer.json", LONGEST)
        yield Material(case, Path(interpreter_for(case.backend)), folder, tokenizer)


def variant_of(case: Case, folder: Path) -> Path:
    if case.variant == "export":
        return exported(tiny_checkpoint(folder / "tiny"), folder / "export")
    (built,) = build_tiny(folder, case.variant, backends=(artifact_name(case.backend, ()),))
    return built


@pytest.fixture(scope="module")
def session(material: Material) -> Iterator[RemoteSession]:
    with material.opened() as session:
        yield session


@pytest.fixture(scope="module")
def classifier(session: RemoteSession, material: Material) -> Pipeline:
    return Pipeline(session, material.tokenizer, TASK)


@pytest.fixture(scope="module")
def texts(material: Material) -> list[Tokens]:
    return [material.tokenizer(*text) for text in (*TEXTS, *PAIRS)]


@pytest.fixture(scope="module")
def alone(classifier: Pipeline, texts: list[Tokens]) -> Logits:
    return np.concatenate([classifier.infer([[text]]) for text in texts])


def test_logits_are_those_of_the_fp32_network(
    alone: Logits, texts: list[Tokens], reference: Reference, material: Material
) -> None:
    expected = reference(texts)
    assert np.ptp(expected[:, 0]) > 1e-3, "texts that all look alike would prove nothing"
    assert alone == pytest.approx(expected, abs=material.case.tolerance)


def test_a_text_has_the_same_logits_whatever_else_is_in_its_row(
    classifier: Pipeline, texts: list[Tokens], alone: Logits, material: Material
) -> None:
    assert classifier.infer([texts]) == pytest.approx(alone, abs=material.case.company)


def test_a_text_has_the_same_logits_whatever_rows_are_beside_its_own(
    classifier: Pipeline, texts: list[Tokens], alone: Logits, material: Material
) -> None:
    for cut in (1, 4, len(texts) - 1):
        assert classifier.infer([texts[:cut], texts[cut:]]) == pytest.approx(alone, abs=material.case.company)
    assert classifier.infer([[text] for text in texts]) == pytest.approx(alone, abs=material.case.company)


def test_logits_come_in_the_order_of_the_texts(
    classifier: Pipeline, texts: list[Tokens], alone: Logits, material: Material
) -> None:
    order = random.Random(0).sample(range(len(texts)), len(texts))
    found = classifier.infer([[texts[i] for i in order[:3]], [texts[i] for i in order[3:]]])
    assert found == pytest.approx(alone[order], abs=material.case.company)


@pytest.mark.parametrize("length", [1, 2, LONGEST - 1, LONGEST])
def test_the_shortest_and_the_longest_texts_are_answered(
    classifier: Pipeline, reference: Reference, material: Material, length: int
) -> None:
    text = Tokens(np.arange(length) % len(VOCABULARY), np.zeros(length, np.int64))
    assert classifier.infer([[text]]) == pytest.approx(reference([text]), abs=material.case.tolerance)


def test_a_thousand_random_texts_in_random_company_are_answered_as_the_network_does(
    classifier: Pipeline, random_reference: Logits, material: Material
) -> None:
    found = np.concatenate([classifier.infer(rows) for rows in in_company(random_texts(RANDOM_TEXTS))])
    assert found == pytest.approx(random_reference, abs=material.case.tolerance)


def test_answers_of_earlier_calls_are_not_overwritten(
    classifier: Pipeline, texts: list[Tokens], alone: Logits, material: Material
) -> None:
    first = classifier.infer([[texts[0]]])
    classifier.infer([[texts[1]]])
    assert first == pytest.approx(alone[:1], abs=material.case.company)


def test_streams_run_at_once_without_mixing_their_answers(
    classifier: Pipeline, texts: list[Tokens], alone: Logits, material: Material
) -> None:
    together = threading.Barrier(STREAMS)

    def run(stream: int) -> Logits:
        together.wait()
        return np.concatenate([classifier.infer([[text]]) for _ in range(20) for text in texts[stream::STREAMS]])

    with ThreadPoolExecutor(STREAMS) as streams:
        for stream, found in enumerate(streams.map(run, range(STREAMS))):
            expected = np.tile(alone[stream::STREAMS], (20, 1))
            assert found == pytest.approx(expected, abs=material.case.company)


def test_a_batch_that_makes_no_sense_is_an_error_and_the_next_one_is_answered(
    classifier: Pipeline, texts: list[Tokens], alone: Logits, material: Material
) -> None:
    ids, types = np.full((1, 16), 3, np.int64), np.zeros((1, 15), np.int64)
    if material.case.layout == "packed":
        batch: Batch = PackedBatch(ids, ids, types, ids, np.zeros(1, np.int64))
    else:
        batch = PaddedBatch(ids, ids, types)
    with pytest.raises(BackendError, match="failed on a batch"):
        classifier.session.run(batch)
    assert classifier.infer([[texts[0]]]) == pytest.approx(alone[:1], abs=material.case.company)


def test_it_says_what_is_really_running(session: RemoteSession, material: Material) -> None:
    info = session.info
    assert (info.engine, info.placement.streams) == (material.case.backend, STREAMS)
    assert info.version[0].isdigit()
    assert info.executed_precision in material.case.executed


def test_memory_does_not_grow_with_the_number_of_calls(classifier: Pipeline, session: RemoteSession) -> None:
    calls = in_company(random_texts(24, seed=1), seed=1)
    for i in range(MANY_CALLS // 4):
        classifier.infer(calls[i % len(calls)])
    before = session.resident_bytes
    for i in range(MANY_CALLS):
        classifier.infer(calls[i % len(calls)])
    assert session.resident_bytes - before < GROWTH_BYTES


def test_a_closed_engine_can_be_opened_again(material: Material, texts: list[Tokens], alone: Logits) -> None:
    with material.opened() as again:
        classifier = Pipeline(again, material.tokenizer, TASK)
        assert classifier.infer([[texts[0]]]) == pytest.approx(alone[:1], abs=material.case.company)


@pytest.mark.parametrize("damage", ["empty", "cut short", "another file"])
def test_a_damaged_or_wrong_file_is_an_error_that_names_it(material: Material, tmp_path: Path, damage: str) -> None:
    file = Path(shutil.copytree(material.folder, tmp_path / "damaged")) / material.case.file
    whole = file.read_bytes()
    other = (material.folder / "tokenizer.json").read_bytes()
    file.write_bytes({"empty": b"", "cut short": whole[: len(whole) // 2], "another file": other}[damage])
    with pytest.raises(BackendError, match=rf"'{file.name}'"), material.opened(file):
        pass


def test_the_artifact_is_not_changed_by_running_it(material: Material) -> None:
    before = (material.folder / material.case.file).read_bytes()
    with material.opened():
        pass
    assert (material.folder / material.case.file).read_bytes() == before


def test_no_backend_is_left_out() -> None:
    assert {case.backend for case in CASES} == {name for name, one in BACKENDS.items() if one.module} - NOT_HERE
