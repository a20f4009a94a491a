"""The tokenizer that goes into every variant: one `tokenizer.json`, whatever the checkpoint holds."""

import shutil
from pathlib import Path

from model_store.errors import UnsupportedCheckpoint
from model_store.manifest import TOKENIZER_FILE


def write_tokenizer(checkpoint: Path, out_dir: Path) -> Path:
    """Put the tokenizer of `checkpoint` into `out_dir` as `tokenizer.json`, and return its path.

    Copied where the checkpoint has one; otherwise read by `transformers` from what it has, e.g. `vocab.txt`.

    Raises:
        UnsupportedCheckpoint: the checkpoint has no tokenizer, or one that cannot be read.
    """
    target = out_dir / TOKENIZER_FILE
    if (checkpoint / TOKENIZER_FILE).is_file():
        shutil.copyfile(checkpoint / TOKENIZER_FILE, target)
    else:
        _convert(checkpoint, target)
    return target


def _convert(checkpoint: Path, target: Path) -> None:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError) as exc:
        reason = str(exc).splitlines()[0].rstrip(": ")
        raise UnsupportedCheckpoint(
            f"The tokenizer of {checkpoint.name!r} cannot be read ({reason}); save it beside the "
            "weights with tokenizer.save_pretrained(...)."
        ) from exc
    files = tokenizer.vocab_files_names.values()
    # Without any of its files it would be made with an empty vocabulary.
    if not any((checkpoint / file).is_file() for file in files):
        raise UnsupportedCheckpoint(
            f"{checkpoint.name!r} has none of {', '.join(files)}; save its tokenizer beside the weights with "
            "tokenizer.save_pretrained(...)."
        )
    target.write_text(tokenizer.backend_tokenizer.to_str(pretty=True), encoding="utf-8")
