"""`paretoserve build`."""

from pathlib import Path
from typing import Annotated

import typer

from paretoserve.commands import options
from paretoserve.terminal.printing import print_variants


def build(
    checkpoint: Annotated[str, typer.Option(help="Folder of a fine-tuned Hugging Face checkpoint, or a Hub id.")],
    data: options.Data,
    recipe: Annotated[list[str], typer.Option(help="What to build; may be given several times: dense, bf16, int8.")],
    backend: options.Backends = None,
    store: options.Store = Path("store"),
    name: Annotated[str | None, typer.Option(help="Name of the model; the checkpoint folder's by default.")] = None,
    max_tokens: Annotated[int, typer.Option(min=8, help="Where texts are cut.")] = 128,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    task: Annotated[
        str | None, typer.Option(help="What it was fine-tuned for; text-classification unless it is a variant.")
    ] = None,
) -> None:
    """Build variants of a checkpoint: an artifact per engine, its accuracy on the data, and a manifest."""
    from paretoserve.builds.build import BuildRequest
    from paretoserve.builds.build import build as build_variants

    columns = options.columns(text_column, text_pair_column, label_column)
    backends = tuple(backend) if backend else None
    request = BuildRequest(checkpoint, data, tuple(recipe), store, name, columns, max_tokens, backends, task)
    folders = build_variants(request)
    print_variants(folders)
