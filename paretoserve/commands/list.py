"""`paretoserve list`."""

from pathlib import Path

from paretoserve.commands import options
from paretoserve.terminal.printing import print_variants


def list_(store: options.Store = Path("store")) -> None:
    """List the variants of a store: their engines, sizes and quality."""
    from model_store.store import variant_dirs

    print_variants(variant_dirs(store))
