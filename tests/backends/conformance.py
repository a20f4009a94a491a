"""What every engine promises, in every layout and precision. A new backend passes all of it by one line in `CASES`."""

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from handlers.backends.base import Batch, Logits
from handlers.backends.catalogue import BACKENDS, artifact_name
from handlers.pipeline import Pipeline
from handlers.tasks.text_classification import TextClassification
from handlers.tokens.packing import PackedBatch, Tokens
from handlers.tokens.padding import PaddedBatch
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError
from model_store.manifest import Layout
from paretoserve.environments.catalogue import interpreter_for, is_installed
from tests.backends.engine_process import Config
from tests.backends.remote import EngineProcess, RemoteSession, engine_process
from tests.backends.texts import LONGEST, Reference, in_company, random_texts
from tests.conftest import BuiltOnce
from tests.environments import use_only
from tests.exported import exported
from tests.handlers.variants import shared_tiny
from tests.tiny import PAIRS, TEXTS, VOCABULARY, tiny_checkpoint

# What no machine of ours has is asked of those who have it.
NOT_HERE = {"torch-cuda"}

TASK = TextClassification(("negative", "positive"))
STREAMS = 2
RANDOM_TEXTS = 1000
MANY_CALLS = 2000
# Of 2 000 calls that leave a page of memory behind each. They are short: what they compute is asked elsewhere.
SHORT = 8
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
    """What a case is tested with: the interpreter of its backend, the folder of its variant, which other cases may
    have too, a tokenizer for it, and the bytes of its artifact as they were before anything ran."""

    case: Case
    interpreter: Path
    folder: Path
    tokenizer: TextTokenizer
    artifact: bytes

    def config(self, file: Path | None = None) -> Config:
        case = self.case
        return Config(
            backend=case.backend,
            artifact=str(file or self.folder / case.file),
            precision=case.precision,
            layout=case.layout,
            streams=STREAMS,
            max_tokens=LONGEST,
            module=case.module,
        )


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(tiny_checkpoint(tmp_path_factory.mktemp("reference") / "tiny"))


@pytest.fixture(scope="session")
def random_reference(reference: Reference) -> Logits:
    return reference(random_texts(RANDOM_TEXTS))


@pytest.fixture(scope="session")
def variants(built_once: BuiltOnce) -> Callable[[Case], Path]:
    """Builds the variant of a case, or gives the one that was built for another with the same artifact."""

    def built(case: Case) -> Path:
        if case.variant == "export":
            return built_once("export", lambda folder: exported(tiny_checkpoint(folder / "tiny"), folder / "export"))
        return shared_tiny(built_once, case.variant, artifact_name(case.backend, ()))

    return built


@pytest.fixture(scope="module", params=[pytest.param(case, id=str(case), marks=case.marks) for case in CASES])
def material(
    request: pytest.FixtureRequest, variants: Callable[[Case], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Material]:
    """The case in the environment of its backend, or in ours: there if it has one and that is asked for or needed."""
    case: Case = request.param
    with pytest.MonkeyPatch.context() as patch:
        in_environment = request.config.getoption("--environments") or not is_installed(case.backend)
        if in_environment and case.backend in BACKENDS and BACKENDS[case.backend].environment:
            use_only([case.backend], tmp_path_factory.mktemp("environments"), patch)
        folder = variants(case)
        tokenizer = TextTokenizer(folder / "tokenizer.json", LONGEST)
        artifact = (folder / case.file).read_bytes()
        yield Material(case, Path(interpreter_for(case.backend)), folder, tokenizer, artifact)


@pytest.fixture(scope="module")
def engine(material: Material) -> Iterator[EngineProcess]:
    """The one process in which all tests of a case open their sessions, as a worker opens several."""
    with engine_process(material.interpreter) as engine:
        yield engine


@pytest.fixture(scope="module")
def session(engine: EngineProcess, material: Material) -> RemoteSession:
    return engine.open(material.config())


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
    # As often as there are streams, so that each has met it; the first good one is of the same shape.
    for _ in range(STREAMS):
        with pytest.raises(BackendError, match="failed on a batch"):
            classifier.session.run(batch)
    for _ in range(STREAMS):
        assert classifier.infer([[texts[0]]]) == pytest.approx(alone[:1], abs=material.case.company)


def test_it_says_what_is_really_running(session: RemoteSession, material: Material) -> None:
    info = session.info
    assert (info.engine, info.placement.streams) == (material.case.backend, STREAMS)
    assert info.version[0].isdigit()
    assert info.executed_precision in material.case.executed


def test_memory_does_not_grow_with_the_number_of_calls(classifier: Pipeline, engine: EngineProcess) -> None:
    calls = in_company(random_texts(24, seed=1, longest=SHORT), seed=1)
    for i in range(MANY_CALLS // 4):
        classifier.infer(calls[i % len(calls)])
    before = engine.resident_bytes
    for i in range(MANY_CALLS):
        classifier.infer(calls[i % len(calls)])
    assert engine.resident_bytes - before < GROWTH_BYTES


def test_a_closed_engine_can_be_opened_again(
    engine: EngineProcess, material: Material, texts: list[Tokens], alone: Logits
) -> None:
    engine.open(material.config()).close()
    again = engine.open(material.config())
    classifier = Pipeline(again, material.tokenizer, TASK)
    assert classifier.infer([[texts[0]]]) == pytest.approx(alone[:1], abs=material.case.company)
    again.close()


@pytest.mark.parametrize("damage", ["empty", "cut short", "another file"])
def test_a_damaged_or_wrong_file_is_an_error_that_names_it(
    engine: EngineProcess, material: Material, tmp_path: Path, damage: str
) -> None:
    file = Path(shutil.copytree(material.folder, tmp_path / "damaged")) / material.case.file
    whole, other = material.artifact, (material.folder / "tokenizer.json").read_bytes()
    file.write_bytes({"empty": b"", "cut short": whole[: len(whole) // 2], "another file": other}[damage])
    with pytest.raises(BackendError, match=rf"'{file.name}'"):
        engine.open(material.config(file))


def test_what_was_open_answers_after_others_were_closed_or_refused(
    classifier: Pipeline, texts: list[Tokens], alone: Logits, material: Material
) -> None:
    assert classifier.infer([[texts[0]]]) == pytest.approx(alone[:1], abs=material.case.company)


def test_the_artifact_is_not_changed_by_running_it(classifier: Pipeline, material: Material) -> None:
    assert (material.folder / material.case.file).read_bytes() == material.artifact


def test_no_backend_is_left_out() -> None:
    assert {case.backend for case in CASES} == {name for name, one in BACKENDS.items() if one.module} - NOT_HERE
