"""`paretoserve build`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paretoserve.commands import options
from paretoserve.terminal.interrupt import can_go_on
from paretoserve.terminal.printing import print_variants

if TYPE_CHECKING:
    from paretoserve.builds.build import BuildRequest

Recipes = Annotated[
    list[str],
    typer.Option(
        "--recipe",
        help="What to build; may be given several times. A precision: dense (which is fp32), bf16 or int8; or a chain "
        "of steps joined by +, with at most one precision at its end. Or auto alone: chains are tried for the engine "
        "--target, the fastest first, within --time-budget; what loses at most --max-drop points is kept, and a table "
        "says why the others are not.",
    ),
]
OnEvaluation = Annotated[
    bool,
    typer.Option(
        "--calibrate-on-evaluation",
        help="Let int8 measure its ranges on the rows that it is evaluated on, where the data has no train split. "
        "It flatters the accuracy, and the manifest says so.",
    ),
]
MaxDrop = Annotated[
    float | None,
    typer.Option(
        "--max-drop",
        min=0.0,
        max=100.0,
        help="How many points of accuracy int8 may lose against fp32, on rows split off the train split. Where it "
        "loses more, layers are left in fp32, and then the weights are trained. With --recipe auto, what any chain may "
        "lose against dense: 1.0 unless told otherwise.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target", help="The engine that --recipe auto builds for; of those installed openvino, onnxruntime or torch."
    ),
]
TimeBudget = Annotated[
    str | None,
    typer.Option(
        "--time-budget",
        help="How long --recipe auto may train, as 90s, 30m or 1.5h; 4h unless told otherwise. The same command again "
        "goes on for as long.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="For all that steps draw; the same gives the same weights again.")
]

Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", min=1, help="Processes that evaluate at once where a step searches (nas); it finds the same."
    ),
]


@can_go_on()
def build(
    checkpoint: Annotated[str, typer.Option(help="Folder of a fine-tuned Hugging Face checkpoint, or a Hub id.")],
    data: options.Data,
    recipe: Recipes,
    backend: options.Backends = None,
    store: options.Store = Path("store"),
    name: Annotated[str | None, typer.Option(help="Name of the model; the checkpoint folder's by default.")] = None,
    max_tokens: Annotated[int, typer.Option(min=8, help="Where texts are cut.")] = 128,
    seed: Seed = 0,
    jobs: Jobs = 1,
    max_drop: MaxDrop = None,
    target: Target = None,
    time_budget: TimeBudget = None,
    calibrate_on_evaluation: OnEvaluation = False,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    task: Annotated[
        str | None, typer.Option(help="What it was fine-tuned for; text-classification unless it is a variant.")
    ] = None,
) -> None:
    """Build variants of a checkpoint: an artifact per engine, its accuracy on the data, and a manifest.

    The same command goes on where it was stopped.
    """
    from paretoserve.builds.build import BuildRequest
    from paretoserve.builds.build import build as build_variants

    request = BuildRequest(
        checkpoint=checkpoint,
        data=data,
        recipes=tuple(recipe),
        store=store,
        name=name,
        columns=options.columns(text_column, text_pair_column, label_column),
        max_tokens=max_tokens,
        backends=tuple(backend) if backend else None,
        task=task,
        seed=seed,
        jobs=jobs,
        calibrate_on_evaluation=calibrate_on_evaluation,
        max_drop=max_drop,
    )
    if not _chosen(request, target, time_budget):
        print_variants(build_variants(request))


def _chosen(request: "BuildRequest", target: str | None, time_budget: str | None) -> bool:
    """Whether the recipe is `auto`, and then that is done."""
    from paretoserve.builds.auto.request import auto_request
    from paretoserve.builds.auto.run import choose
    from paretoserve.builds.auto.table import print_chosen

    if (asked := auto_request(request, target, time_budget)) is None:
        return False
    print_chosen(choose(asked))
    return True
