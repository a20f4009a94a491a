import errno
import shutil
from pathlib import Path

import pytest
from safetensors import SafetensorError

from model_store.errors import StoreError
from recipes.work.disk import written_in


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "full"),
            "There is no room to write 'mine' .No space left on device.; make room, and the",
        ),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "There is no room to write 'mine'"),
        (
            shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]),
            "There is no room to write 'mine'",
        ),
        (OSError(errno.EROFS, "read-only"), "'mine' cannot be written .Read-only file system.; give a folder that"),
        (PermissionError(errno.EACCES, "no"), "'mine' cannot be written .Permission denied."),
        (NotADirectoryError(errno.ENOTDIR, "no"), "'mine' cannot be written .Not a directory."),
    ],
)
def test_a_disk_that_takes_nothing_is_told_in_a_sentence(error: Exception, message: str) -> None:
    with pytest.raises(StoreError, match=message), written_in(Path("checkpoints/mine")):
        raise error


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "x"), SafetensorError("invalid header"), KeyError()])
def test_other_errors_are_left_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)), written_in(Path("checkpoints/mine")):
        raise error
