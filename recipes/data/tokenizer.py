"""The tokenizer that goes into every variant: one `tokenizer.json`, whatever the checkpoint holds."""

import shutil
from pathlib import Path
from typing import Any

import msgspec

from model_store.errors import UnsupportedCheckpoint
from model_store.manifest import TOKENIZER_FILE


def write_tokenizer(checkpoint: Path, out_dir: Path) -> Path:
    """Put the tokenizer of `checkpoint` into `out_dir` as `tokenizer.json`, and return its path.

    Copied where the checkpoint has one; otherwise made of its `vocab.txt` with the settings of its
    `tokenizer_config.json`, as the tokenizer of Devlin et al. is defined.

    Raises:
        UnsupportedCheckpoint: the checkpoint has neither, or its settings cannot be read.
    """
    target = out_dir / TOKENIZER_FILE
    if (checkpoint / TOKENIZER_FILE).is_file():
        shutil.copyfile(checkpoint / TOKENIZER_FILE, target)
    elif (checkpoint / "vocab.txt").is_file():
        _make_tokenizer(checkpoint, target)
    else:
        raise UnsupportedCheckpoint(
            f"{checkpoint.name!r} has neither {TOKENIZER_FILE} nor vocab.txt; save its tokenizer beside the weights "
            "with tokenizer.save_pretrained(...)."
        )
    return target


def _make_tokenizer(checkpoint: Path, target: Path) -> None:
    from tokenizers import BertWordPieceTokenizer

    settings = _settings(checkpoint / "tokenizer_config.json")
    tokenizer = BertWordPieceTokenizer(
        str(checkpoint / "vocab.txt"),
        # The defaults of Hugging Face's BertTokenizer.
        lowercase=settings.get("do_lower_case", True),
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
    )
    tokenizer.save(str(target))


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as exc:
        raise UnsupportedCheckpoint(f"{path.name} of {path.parent.name!r} is not a JSON object ({exc}).") from exc
