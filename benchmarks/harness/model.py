"""The model that every benchmark serves: built once, from the SST-2 checkpoint or, where there is none, at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks.harness.places import RUNS, SHARED
from benchmarks.harness.sentences import LABELS, SST2, load_sentences
from handlers.tasks.text_classification import TextClassification
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE
from model_store.rows import Data, Row, Split
from paretoserve.builds.build import BuildRequest, build_variant
from recipes.data.rows import load_data

CHECKPOINT = SHARED / "checkpoints" / "sst2-minilm"
STORE = RUNS / "store"


@dataclass(frozen=True, slots=True)
class Size:
    """The shape of a model with random weights."""

    layers: int
    width: int
    heads: int
    units: int


BENCHMARK, TINY = Size(6, 384, 12, 1536), Size(1, 32, 2, 64)


@dataclass(frozen=True, slots=True)
class BenchmarkModel:
    """A checkpoint and what it is; `source` is part of the settings of a result."""

    name: str
    checkpoint: Path
    source: str

    def variant(self, recipe: str) -> Path:
        """The folder of the variant that `recipe` builds, made the first time it is asked for."""
        folder = STORE / self.name / recipe
        if not (folder / MANIFEST_FILE).is_file():
            # Generated rows have no train split, and nobody looks at their accuracy.
            request = BuildRequest(str(self.checkpoint), "", (), STORE, self.name, calibrate_on_evaluation=True)
            build_variant(request, self.checkpoint, _data(), self.name, recipe)
        return folder


def benchmark_model() -> BenchmarkModel:
    """The fine-tuned checkpoint beside the repository, or one of the same shape with random weights."""
    if CHECKPOINT.is_dir():
        return BenchmarkModel("sst2-minilm", CHECKPOINT, "sst2-minilm: BERT, 6 layers, 384 wide, fine-tuned on SST-2")
    return _random_model("random-minilm", BENCHMARK)


def token_ids(texts: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """The texts as the benchmark's tokenizer reads them."""
    tokenizer = Tokenizer.from_file(str(benchmark_model().checkpoint / TOKENIZER_FILE))
    return tuple(tuple(tokenizer.encode(text).ids) for text in texts)


def tiny_model() -> BenchmarkModel:
    """One whose answers cost next to nothing, for measures of everything else."""
    return _random_model("random-tiny", TINY)


def _random_model(name: str, size: Size) -> BenchmarkModel:
    checkpoint = RUNS / "checkpoints" / name
    if not (checkpoint / TOKENIZER_FILE).is_file():  # what is written last
        make_random_checkpoint(checkpoint, size)
    source = f"BERT, {size.layers} layers, {size.width} wide, random weights: for timing only"
    return BenchmarkModel(name, checkpoint, source)


def make_random_checkpoint(folder: Path, size: Size = BENCHMARK) -> None:
    """A classifier of this size with random weights, the same every time, and a tokenizer that fits."""
    # Only where there is no checkpoint are torch and a tokenizer needed.
    import torch

    from networks.encoder.modules import PackedEncoder
    from networks.encoder.shape import EncoderShape
    from paretoserve.demo.training import PIECES, save
    from recipes.data.wordpieces import learn_word_pieces

    tokenizer = learn_word_pieces(load_sentences().texts, PIECES)
    config = EncoderShape(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=size.width,
        head_size=size.width // size.heads,
        heads=(size.heads,) * size.layers,
        units=(size.units,) * size.layers,
        labels=LABELS,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save(PackedEncoder(config).eval(), tokenizer, folder)


def _data() -> Data:
    if SST2.is_dir():
        return load_data(str(SST2), TextClassification(LABELS).target)
    rows = tuple(Row(text, None, i % len(LABELS)) for i, text in enumerate(load_sentences().texts))
    return Data(None, Split("generated", "dev", rows))
