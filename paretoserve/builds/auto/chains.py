"""The chains that `auto` tries for an engine, and how much faster than dense each should be there.

The expectations are of MiniLM's shape (6 layers, 384 wide) with random weights, which make no difference in time, on a
processor with VNNI, by turns. They order the chains, and say which need not be begun; what counts is measured.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

Word = Literal["int8", "bf16", "dense"]
"""The precision that a recipe ends in."""

# Over fp32: INT8 on OpenVINO 2.6 times, on ONNX Runtime 2.4 times, bf16 on OpenVINO 1.9 times.
_USUAL_GAIN: Mapping[Word, float] = {"int8": 2.5, "bf16": 1.9, "dense": 1.0}

# Of the time, what does not shrink with the layers: embeddings, norms, calls. With 30, 40 and 50 % of the heads and
# units, INT8 on OpenVINO took 40, 48 and 56 % of the time.
_REST = 0.13


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps, as a recipe spells them, and a precision.

    `share` is what they should leave of the time of the layers in that precision. `passes` is how often they go over
    the train split, about; a super-network's passes count more than twice.
    """

    steps: str
    precision: Word
    share: float = 1.0
    passes: float = 0.0

    @property
    def recipe(self) -> str:
        return "+".join(part for part in (self.steps, self.precision) if part and (part != "dense" or not self.steps))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A chain that cannot be built, and why."""

    recipe: str
    why: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is tried, and what cannot be."""

    chains: tuple[Chain, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class _Steps:
    text: str
    share: float
    passes: float


_SKIPS_ZEROS = {"deepsparse"}

# What is cut out is gone for every engine. Movement pruning to 40 % and INT8 is the published joint recipe.
_CUTTING = (
    *(_Steps(f"movement:macs<={percent}%", percent / 100, 5.0) for percent in (30, 40, 50, 60)),
    _Steps("nas:parameters<=60%", 0.6, 6.6),
)


def _halved(layers: int) -> _Steps:
    return _Steps(f"layers:{layers // 2}", layers // 2 / layers, 4.0)


def _sparse(layers: int) -> tuple[_Steps, ...]:
    """For an engine that skips zeros; in fours, which is what it skips in INT8.

    With 90 % of zeros, DeepSparse took a third of the time of a dense BERT-base in fp32 (docs/performance.md). The
    other shares are guesses on from there.
    """
    return (
        _Steps("sparse:80:block4", 0.45, 4.0),
        _Steps("sparse:90:block4", 0.3, 4.0),
        _Steps(f"layers:{layers // 2}+sparse:80:block4", 0.25, 8.0),
    )


def catalogue(target: str, writes: Collection[str], layers: int) -> Catalogue:
    """The chains for an engine that is written for in these precisions, and a checkpoint of so many layers.

    All steps come in the two fastest of the precisions: weights that lose too much in the first may hold in the second,
    and are trained already.
    """
    precisions = [word for word in _USUAL_GAIN if word in writes]
    steps = (_halved(layers), *(_sparse(layers) if target in _SKIPS_ZEROS else _CUTTING))
    alone = [Chain("", word) for word in precisions if word != "dense"]
    every = [Chain(one.text, word, one.share, one.passes) for one in steps for word in precisions[:2]]
    possible = [chain for chain in every if not chain.steps.startswith("layers:0")]
    left_out = [LeftOut(word, f"nothing is written for {target} in it") for word in _USUAL_GAIN if word not in writes]
    left_out += [LeftOut(chain.recipe, "the checkpoint has one layer") for chain in every if chain not in possible]
    return Catalogue((*alone, *possible), tuple(left_out))


def expected_gain(chain: Chain, measured: Mapping[str, float]) -> float:
    """Over dense. `measured` are gains of recipes on this very machine: of a precision alone, which all chains in it
    have a part of."""
    precision = measured.get(chain.precision, _USUAL_GAIN[chain.precision])
    return precision / (_REST + (1 - _REST) * chain.share)
