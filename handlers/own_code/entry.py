"""Which file of a variant's `code/` has the user's functions: `inference.py`, or what `SAGEMAKER_PROGRAM` names."""

import os
from pathlib import Path

from model_store.code import CODE_FOLDER
from model_store.errors import StoreError

PROGRAM = "SAGEMAKER_PROGRAM"
_DEFAULT = "inference.py"


def entry_name(folder: Path) -> str | None:
    """The file's name in the variant, such as `code/inference.py`; None where the variant has no code.

    Raises:
        StoreError: `SAGEMAKER_PROGRAM` names no file of its `code/`, which has other modules.
    """
    told = os.environ.get(PROGRAM) or _DEFAULT
    file = told if told.endswith(".py") else f"{told}.py"
    if "/" not in file and file.removesuffix(".py").isidentifier() and (folder / CODE_FOLDER / file).is_file():
        return f"{CODE_FOLDER}/{file}"
    modules = sorted(one.name for one in (folder / CODE_FOLDER).glob("*.py"))
    if os.environ.get(PROGRAM) and modules:
        raise StoreError(
            f"{PROGRAM} is {told!r}, and {CODE_FOLDER}/ of {folder.name!r} has {', '.join(modules)}; name one of "
            "these, without a folder."
        )
    return None
