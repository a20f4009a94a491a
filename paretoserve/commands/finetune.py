"""`paretoserve finetune`."""

from pathlib import Path
from typing import Annotated

import typer

from model_store.errors import ParetoServeError
from paretoserve.commands import options
from paretoserve.terminal.interrupt import can_go_on
from paretoserve.terminal.training import print_training

Checkpoint = Annotated[
    str | None,
    typer.Option(
        help="Folder or Hub id of a pretrained BERT encoder, with or without a classifier. Without it a small encoder "
        "begins with nothing; this needs no network.",
    ),
]
Data = Annotated[str, typer.Option("--data", help="Folder with train.* and dev.* (TSV, CSV or JSONL), or a Hub id.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the checkpoint; a fine-tuning that is there is replaced.")]
Epochs = Annotated[float | None, typer.Option(min=0.001, help="Passes over all rows; 3 with a --checkpoint, else 10.")]
LearningRate = Annotated[
    float | None, typer.Option(min=1e-8, max=1.0, help="Largest learning rate; 5e-5 with a --checkpoint, else 1e-3.")
]
Patience = Annotated[
    int | None, typer.Option(min=1, help="End after so many checks, four an epoch, that bring nothing better.")
]
Teacher = Annotated[
    str | None, typer.Option(help="Folder or Hub id of a fine-tuned checkpoint to learn from beside the labels.")
]
Unlabelled = Annotated[
    Path | None,
    typer.Option(help="Texts that the teacher labels: a text a line (.txt), or a table as --data has, without labels."),
]
Weight = Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the teacher in the loss.")]
Temperature = Annotated[float, typer.Option(min=0.1, max=100.0, help="How far the teacher's answers are softened.")]


def finetune(
    data: Data,
    out: Out,
    checkpoint: Checkpoint = None,
    epochs: Epochs = None,
    batch: Annotated[int, typer.Option(min=1, help="Texts in a batch.")] = 32,
    learning_rate: LearningRate = None,
    max_tokens: Annotated[int, typer.Option(min=8, help="Where texts are cut.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="For all that is drawn; the same gives the same weights.")] = 0,
    patience: Patience = None,
    teacher: Teacher = None,
    unlabelled: Unlabelled = None,
    distillation_weight: Weight = 0.9,
    temperature: Temperature = 2.0,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
) -> None:
    """Train a pretrained encoder on labelled texts: a checkpoint for `build`, with its curve and its accuracy.

    The same command goes on where it was stopped.
    """
    if unlabelled is not None and teacher is None:
        raise ParetoServeError("--unlabelled needs somebody who labels the texts; give --teacher.")
    with can_go_on():
        from paretoserve.finetuning.run import FinetuneRequest
        from paretoserve.finetuning.run import finetune as run_finetuning
        from recipes.finetuning.settings import FinetuneSettings

        settings = FinetuneSettings(
            epochs=epochs or (3.0 if checkpoint else 10.0),
            batch=batch,
            learning_rate=learning_rate or (5e-5 if checkpoint else 1e-3),
            max_tokens=max_tokens,
            seed=seed,
            patience=patience,
            distillation_weight=distillation_weight,
            temperature=temperature,
        )
        columns = options.columns(text_column, text_pair_column, label_column)
        request = FinetuneRequest(data, out, settings, checkpoint, teacher, unlabelled, columns)
        print_training(run_finetuning(request), out)
