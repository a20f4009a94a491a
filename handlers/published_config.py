"""What the `config.json` of a published classifier says, whatever its architecture."""

from pathlib import Path
from typing import Any

import msgspec

from model_store.errors import UnsupportedCheckpoint

# These count positions from behind the number of the padding token.
_POSITIONS_BEHIND_PADDING = ("roberta", "xlm-roberta", "camembert")


def is_sequence_classifier(folder: Path) -> bool:
    """Whether it is said to answer a label for a text, and not e.g. to fill in masked words."""
    named = _read(folder / "config.json").get("architectures")
    return isinstance(named, list) and any(str(name).endswith("ForSequenceClassification") for name in named)


def config_labels(folder: Path) -> list[str]:
    """The labels that `config.json` gives; a model with the default two leaves them out.

    Raises:
        UnsupportedCheckpoint: it cannot be read.
    """
    names = _read(folder / "config.json").get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    try:
        return [str(names[str(i)]) for i in range(len(names))]
    except (KeyError, TypeError) as exc:
        raise UnsupportedCheckpoint(
            f"config.json of {folder.name!r} has an id2label that does not count its labels from 0."
        ) from exc


def config_max_tokens(folder: Path) -> int:
    """The longest text: what the model has positions for, or what its tokenizer says where that is less.

    Some tokenizers say a number that means none.
    """
    tokenizer = folder / "tokenizer_config.json"
    stated = [
        _positions(_read(folder / "config.json")),
        _read(tokenizer).get("model_max_length") if tokenizer.is_file() else None,
    ]
    return int(min((limit for limit in stated if isinstance(limit, int | float) and limit > 0), default=512))


def _positions(config: dict[str, Any]) -> Any:
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config.get("model_type") in _POSITIONS_BEHIND_PADDING:
        return positions - config.get("pad_token_id", 1) - 1
    return positions


def _read(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UnsupportedCheckpoint(f"{file.name} of {file.parent.name!r} is not a JSON object ({exc}).") from exc
