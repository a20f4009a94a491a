"""The training that `docs/finetune.md` shows: what stands there is what a result says."""

from pathlib import Path

import msgspec

from benchmarks.finetuned_table import render
from benchmarks.harness.results import make_result, write_result
from recipes.finetuning.record import Rows, Training
from recipes.finetuning.scores import Scores
from recipes.finetuning.settings import FinetuneSettings
from recipes.training.state import CurvePoint

TRAINING = Training(
    fingerprint="",
    checkpoint=None,
    drawn=(),
    teacher=None,
    labels=("LABEL_0", "LABEL_1"),
    rows=Rows("sst2", 900, 100, 0, "dev"),
    settings=FinetuneSettings(epochs=2, batch=32, learning_rate=1e-3),
    steps=20,
    best_step=20,
    curve=[CurvePoint(step=10, loss=0.6, score=0.75), CurvePoint(step=20, loss=0.4, score=0.85)],
    scores=Scores(872, 700, 700 / 872, (0.775, 0.828), 0.61, 0.8),
    seconds=100.0,
    device="cpu",
    bf16=False,
    versions={},
)


def test_the_page_shows_what_the_command_printed_and_calls_the_data_as_the_command_does(tmp_path: Path) -> None:
    settings = {"epochs": 2}
    write_result(make_result("finetuned", settings, [], msgspec.to_builtins(TRAINING)), tmp_path)
    page = render("<!-- finetuned -->\nold\n<!-- /finetuned -->\n", tmp_path)
    assert page.splitlines()[1:] == [
        "```console",
        "$ paretoserve finetune --data data --out checkpoints/small --epochs 2",
        "Validation accuracy ▁█ 75.00 % to 85.00 %, best at step 20 of 20.",
        "Accuracy 80.28 % on data/dev (700 of 872; 95 % interval 77.50 % to 82.80 %).",
        "Matthews correlation 0.610, F1 of 'LABEL_1' 0.800.",
        "Checkpoint: checkpoints/small",
        "```",
        "<!-- /finetuned -->",
    ]


def test_without_a_result_the_page_stays_as_it_is(tmp_path: Path) -> None:
    page = "<!-- finetuned -->\nold\n<!-- /finetuned -->\n"
    assert render(page, tmp_path) == page
