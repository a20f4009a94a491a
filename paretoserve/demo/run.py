"""The demo: train, build, compare, on a task of its own. Needs no network and no data."""

import shutil
from dataclasses import replace
from pathlib import Path

from handlers.tasks.text_classification import TextClassification
from loadtest.comparison import Report
from paretoserve.builds.build import BuildRequest, build_variant
from paretoserve.campaigns.compare import Comparison, Levels, Load, compare
from paretoserve.candidates.candidate import parse_candidate
from paretoserve.demo.task import LABELS, Example, examples
from paretoserve.demo.training import BATCH, PIECES, save, train
from paretoserve.terminal.progress import progress
from recipes.data.rows import load_data
from recipes.data.wordpieces import learn_word_pieces

MODEL = "reviews"
TRAIN_STEPS, DEV_EXAMPLES = 280, 500
LAYERS, FEW_LAYERS = 3, 1
# One review is so short that the time of a request would be the server's, not the model's.
TEXTS_PER_REQUEST = 20
# Levels of four or five seconds, six or seven for each candidate. At the first one all answer often enough for a p95.
LOAD = Load(min_dwell_s=2.5, max_dwell_s=4.5, first_users=4, ramp_s=0.5, settle_s=0.5, max_visits=8)
# Longer than the stalls of a machine that does something else meanwhile.
QUEUE_DEADLINE_S = 0.2
CANDIDATES = ("dense@transformers", "dense@onnxruntime", "int8@onnxruntime", "layers-1@onnxruntime")
# Artifacts for the candidates alone; more would be built and measured for nothing.
BACKENDS = {"dense": ("torch", "onnxruntime"), "int8": ("onnxruntime",), "layers-1": ("onnxruntime",)}


def run_demo(out: Path, levels: Levels, train_steps: int = TRAIN_STEPS) -> Report:
    """Build `dense`, `int8` and `layers-1` of a model trained here, and compare them under load."""
    data = out / "data"
    # One stream of examples, cut in two, so that no example is in both.
    every = examples(seed=0, count=train_steps * BATCH + DEV_EXAMPLES)
    train_examples, dev_examples = every[DEV_EXAMPLES:], every[:DEV_EXAMPLES]
    _write(dev_examples, data / "dev.tsv")
    _write(train_examples, data / "train.tsv")
    tokenizer = learn_word_pieces([example.text for example in train_examples[:3000]], PIECES)
    rows = load_data(str(data), TextClassification(LABELS).target)
    for layers, builds in ((LAYERS, (("dense", "dense"), ("int8", "int8"))), (FEW_LAYERS, (("dense", "layers-1"),))):
        checkpoint = out / "checkpoints" / f"layers-{layers}"
        with progress(f"Training {layers} layer{'s' if layers > 1 else ''}") as report:
            work = out / "work" / checkpoint.name
            save(train(tokenizer, train_examples, layers, work, report), tokenizer, checkpoint)
            shutil.rmtree(work)
        for recipe, variant in builds:
            request = BuildRequest(str(checkpoint), str(data), (), out / "store", MODEL, backends=BACKENDS[variant])
            build_variant(request, checkpoint, rows, MODEL, recipe, variant)
    comparison = Comparison(
        candidates=[parse_candidate(name, out / "store" / MODEL) for name in CANDIDATES],
        data=str(data),
        out_dir=out,
        load=replace(LOAD, levels=levels),
        queue_deadline_s=QUEUE_DEADLINE_S,
        texts_per_request=TEXTS_PER_REQUEST,
        title="ParetoServe demo",
    )
    return compare(comparison)


def _write(some: list[Example], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"{example.text}\t{LABELS[example.label]}\n" for example in some)
    file.write_text("sentence\tlabel\n" + "".join(rows))
