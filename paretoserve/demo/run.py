"""The demo: train, build, compare, on a task of its own. Needs no network and no data."""

from dataclasses import dataclass
from pathlib import Path

from handlers.tasks.text_classification import TextClassification
from loadtest.results.comparison import Report
from paretoserve.builds.build import BuildRequest, build_variant
from paretoserve.campaigns.compare import Comparison, Levels, Load, compare, quick
from paretoserve.candidates.candidate import parse_candidate
from paretoserve.demo.task import LABELS, Example, examples
from paretoserve.demo.training import BATCH, PIECES, save, train
from paretoserve.terminal.progress import progress
from recipes.data.rows import load_data
from recipes.data.wordpieces import learn_word_pieces
from recipes.work.disk import written_in

MODEL = "reviews"
TRAIN_STEPS, DEV_EXAMPLES = 280, 500
LAYERS = 3
# Of the examples that the model has seen: enough for steps, which begin with what it knows.
STEP_EXAMPLES = 2000
# One review is so short that the time of a request would be the server's, not the model's.
TEXTS_PER_REQUEST = 20
# Longer than the stalls of a machine that does something else meanwhile.
QUEUE_DEADLINE_S = 0.2
# Of each candidate; the whole demo takes four minutes at most.
SEARCH_S = 20.0


@dataclass(frozen=True, slots=True)
class Built:
    """A variant: its recipe, and for whom it is written: more artifacts would be built and measured for nothing."""

    recipe: str
    backends: tuple[str, ...]


VARIANTS = {
    "dense": Built("dense", ("torch", "onnxruntime")),
    # A quarter of the encoder at most, spread over all layers: a short training of the super-network, eleven sizes.
    "nas": Built("nas:parameters<=25%:0.3:2:11", ("onnxruntime",)),
    # Faster still, but one layer cannot take the two steps of the task.
    "layers-1-int8": Built("layers:1:1+int8", ("onnxruntime",)),
}
CANDIDATES = ("dense@transformers", "dense@onnxruntime", "nas@onnxruntime", "layers-1-int8@onnxruntime")


def run_demo(out: Path, levels: Levels, train_steps: int = TRAIN_STEPS, plain: bool = False) -> Report:
    """Build a dense variant of a model trained here and two smaller ones, and compare them under load."""
    with written_in(out):
        build_variants(out, train_steps)
        comparison = Comparison(
            candidates=[parse_candidate(name, out / "store" / MODEL) for name in CANDIDATES],
            data=str(out / "data"),
            out_dir=out,
            load=quick(Load(levels, max_search_s=SEARCH_S)),
            queue_deadline_s=QUEUE_DEADLINE_S,
            texts_per_request=TEXTS_PER_REQUEST,
            title="ParetoServe demo",
            is_quick=True,
        )
        return compare(comparison, plain)


def build_variants(out: Path, train_steps: int = TRAIN_STEPS) -> None:
    """Train the model and build all variants of it, in `out`; what was done there before is not done again."""
    # One stream of examples, cut in two, so that no example is in both.
    every = examples(seed=0, count=train_steps * BATCH + DEV_EXAMPLES)
    train_examples, dev_examples = every[DEV_EXAMPLES:], every[:DEV_EXAMPLES]
    data, checkpoint = out / "data", out / "checkpoints" / "dense"
    _write(dev_examples, data / "dev.tsv")
    _write(train_examples[:STEP_EXAMPLES], data / "train.tsv")
    tokenizer = learn_word_pieces([example.text for example in train_examples[:3000]], PIECES)
    with progress(f"Training {LAYERS} layers") as report:
        work = out / "work" / f"{train_steps}-steps"
        save(train(tokenizer, train_examples, LAYERS, work, report), tokenizer, checkpoint)
    rows = load_data(str(data), TextClassification(LABELS).target)
    for variant, built in VARIANTS.items():
        request = BuildRequest(
            str(checkpoint), str(data), (built.recipe,), out / "store", MODEL, backends=built.backends
        )
        build_variant(request, checkpoint, rows, MODEL, built.recipe, variant)


def _write(some: list[Example], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"{example.text}\t{LABELS[example.label]}\n" for example in some)
    file.write_text("sentence\tlabel\n" + "".join(rows))
