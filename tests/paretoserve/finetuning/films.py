"""Labelled films that a tiny encoder learns in seconds: whether one was good or bad."""

import random
from collections.abc import Sequence
from pathlib import Path

from tests.tiny import VOCABULARY

WORDS = [word for word in VOCABULARY[15:] if word not in ("good", "bad")]


def texts(count: int, seed: int) -> list[tuple[str, bool]]:
    """Texts, none of them twice, each with whether its film was good."""
    dice, found = random.Random(seed), dict[str, bool]()
    while len(found) < count:
        good = dice.random() < 0.5
        words = [*dice.sample(WORDS, dice.randint(1, 5)), "good" if good else "bad"]
        found[" ".join(dice.sample(words, len(words)))] = good
    return list(found.items())


def write_films(folder: Path, labels: tuple[str, str] = ("0", "1"), train: int = 160, dev: int = 50) -> Path:
    """A folder with `train.tsv` and `dev.tsv`; no text is in both."""
    folder.mkdir(parents=True, exist_ok=True)
    every = [f"{text}\t{labels[good]}" for text, good in texts(train + dev, seed=0)]
    _write(folder / "train.tsv", every[:train])
    _write(folder / "dev.tsv", every[train:])
    return folder


def _write(file: Path, lines: Sequence[str]) -> None:
    file.write_text("\n".join(["sentence\tlabel", *lines]) + "\n")
