"""A small generated task whose accuracy depends on how deep a model is.

A review reports what several people think of a product; the label is what its writer thinks:

    critics found the screen awful , testers found the hinge not bad , i found the battery great .   -> positive

A model must first bind each opinion (and a "not") to the one who holds it, then pick the writer's: two steps, one
after the other, which a single layer of attention cannot take.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

LABELS = ("negative", "positive")

OTHERS = "critics friends reviewers neighbours colleagues buyers testers students".split()
VERBS = "found called considered".split()
PARTS = "battery screen keyboard camera speaker charger hinge case price design support manual".split()
PRAISE = "great good lovely superb bright solid sharp pleasant".split()
FAULT = "bad awful poor weak dull flimsy ugly useless".split()
ADVERBS = "really quite truly rather".split()
CLAUSES = (2, 4)  # at least, at most


@dataclass(frozen=True, slots=True)
class Example:
    """`opinions` are the holders in their order, each with what they think."""

    text: str
    label: int
    opinions: tuple[tuple[str, int], ...]


def examples(seed: int, count: int) -> list[Example]:
    """`count` examples without repetition, the same for the same seed."""
    found: dict[str, Example] = {}
    stream = _stream(random.Random(seed))  # noqa: S311  a task needs no secrets
    while len(found) < count:
        example = next(stream)
        found[example.text] = example
    return list(found.values())


def _stream(rng: random.Random) -> Iterator[Example]:
    while True:
        holders = rng.sample(OTHERS, rng.randint(*CLAUSES) - 1)
        holders.insert(rng.randint(0, len(holders)), "i")
        clauses = [_clause(rng, holder) for holder in holders]
        opinions = tuple((holder, label) for holder, (_, label) in zip(holders, clauses, strict=True))
        yield Example(" , ".join(words for words, _ in clauses) + " .", dict(opinions)["i"], opinions)


def _clause(rng: random.Random, holder: str) -> tuple[str, int]:
    praised, negated = rng.random() < 0.5, rng.random() < 0.3
    word = rng.choice(PRAISE if praised else FAULT)
    adverb = f"{rng.choice(ADVERBS)} " if rng.random() < 0.3 else ""
    opinion = f"{'not ' if negated else ''}{adverb}{word}"
    return f"{holder} {rng.choice(VERBS)} the {rng.choice(PARTS)} {opinion}", int(praised != negated)
