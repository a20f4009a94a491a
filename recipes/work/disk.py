"""What is said where a disk cannot take what is to be written."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from model_store.errors import StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


@contextmanager
def written_in(folder: Path) -> Iterator[None]:
    """Writing in or below `folder`, or beside it.

    Raises:
        StoreError: the disk is full, or must not be written to.
    """
    try:
        yield
    except (OSError, SafetensorError) as exc:
        number = _number(exc)
        if number in _FULL:
            raise StoreError(
                f"There is no room to write {folder.name!r} ({os.strerror(number)}); make room, and the same command "
                "goes on from what was kept."
            ) from exc
        if number in _FORBIDDEN:
            raise StoreError(
                f"{folder.name!r} cannot be written ({os.strerror(number)}); give a folder that you may write to."
            ) from exc
        raise


def _number(exc: OSError | SafetensorError) -> int:
    """The system's number of an error; safetensors and shutil have it in their messages alone."""
    if isinstance(exc, OSError) and exc.errno:
        return exc.errno
    found = re.search(r"(?:os error |Errno )(\d+)", str(exc))
    return int(found[1]) if found else 0
