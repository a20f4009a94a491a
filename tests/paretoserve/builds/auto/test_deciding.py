"""What is decided on chains, with a builder that only says what it would find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from model_store.errors import BackendError, RecipeError, StoreError
from paretoserve.builds.auto.budget import Budget, TimeIsUp
from paretoserve.builds.auto.chains import Chain, LeftOut
from paretoserve.builds.auto.deciding import Drop, Found, Plan, decide, fault
from paretoserve.builds.auto.record import Try

INT8, BF16 = Chain("", "int8"), Chain("", "bf16")
THIRD, HALF = Chain("third", "int8", 0.3, 5.0), Chain("half", "int8", 0.5, 5.0)
CHAINS = (HALF, BF16, THIRD, INT8)

Outcome = Found | Exception


@dataclass
class Says:
    """A builder that finds what it is told to, and takes a second for each chain."""

    finds: Mapping[str, Outcome]
    in_store: Sequence[str] = ()
    asked: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    now: float = 0.0

    def attempt(self, recipe: str, title: str, budget: Budget) -> Found:
        self.asked.append(recipe)
        self.titles.append(title)
        self.now += 1
        found = self.finds[recipe]
        if isinstance(found, Exception):
            raise found
        return found

    def seconds(self, recipe: str) -> float:
        return 7.0

    def holds(self, known: Try) -> bool:
        return known.variant in self.in_store

    def budget(self, seconds: float = 1e6) -> Budget:
        return Budget(seconds, now=lambda: self.now)


def kept(gain: float, drop: float = 0.2) -> Found:
    return Found(Drop(drop, (-0.1, 0.5)), gain, "some-variant", "some-hash")


def fell(drop: float) -> Found:
    return Found(Drop(drop))


def plan(chains: Sequence[Chain] = CHAINS, known: Sequence[Try] = (), left_out: Sequence[LeftOut] = ()) -> Plan:
    return Plan(chains, left_out, 1.0, known, lambda tries: None)


def said(tries: Sequence[Try]) -> dict[str, str]:
    return {one.recipe: f"{one.verdict}: {one.why}" for one in tries}


def test_what_needs_no_training_comes_first_and_then_the_highest_gain() -> None:
    builder = Says({"int8": fell(2), "bf16": fell(2), "third+int8": fell(2), "half+int8": fell(2)})
    tries = decide(plan(), builder, builder.budget())
    assert builder.asked == ["int8", "bf16", "third+int8", "half+int8"] == [one.recipe for one in tries]
    assert builder.titles[2] == "third+int8 (3 of 4 chains)"


def test_of_equal_gains_the_one_that_trains_less_comes_first() -> None:
    quick = replace(HALF, steps="quick", passes=4.0)
    builder = Says({"quick+int8": fell(2), "half+int8": fell(2)})
    decide(plan([HALF, quick]), builder, builder.budget())
    assert builder.asked == ["quick+int8", "half+int8"]


def test_what_is_expected_is_no_more_than_what_was_measured_is_not_begun() -> None:
    builder = Says({"int8": kept(3.4), "third+int8": kept(7.0)})
    tries = decide(plan(), builder, builder.budget())
    assert builder.asked == ["int8", "third+int8"]
    assert said(tries) == {
        "int8": "kept: holds",
        "bf16": "not begun: expected 1.9 x, no more than the 3.4 x measured of int8",
        "third+int8": "kept: the fastest that holds",
        "half+int8": "not begun: expected 6.0 x, no more than the 7.0 x measured of third+int8",
    }
    assert [one.gain for one in tries] == [3.4, None, 7.0, None]


def test_a_chain_that_is_expected_to_be_faster_is_tried_although_another_holds() -> None:
    builder = Says({"int8": kept(3.4), "third+int8": kept(5.9), "half+int8": kept(6.5)})
    tries = said(decide(plan(), builder, builder.budget()))
    assert (tries["third+int8"], tries["half+int8"]) == ("kept: holds", "kept: the fastest that holds")


def test_what_int8_gains_here_changes_what_is_expected_of_chains_that_end_in_it() -> None:
    usual = Says({"int8": fell(2), "bf16": fell(2), "third+int8": fell(2), "half+int8": fell(2)})
    better = Says({**usual.finds, "int8": kept(5.0)})
    of_usual, of_better = (
        {one.recipe: one.expected_gain for one in decide(plan(), builder, builder.budget())}
        for builder in (usual, better)
    )
    assert of_better["int8"] == of_usual["int8"] == 2.5, "expected before it was measured"
    assert of_better["half+int8"] == pytest.approx(2 * (of_usual["half+int8"] or 0), abs=0.01)


def test_what_fell_is_no_reason_not_to_begin_another() -> None:
    builder = Says({"int8": Found(Drop(5.0), 30.0), "bf16": kept(1.8)})
    assert said(decide(plan([INT8, BF16]), builder, builder.budget())) == {
        "int8": "fell: loses 5.00 points; at most 1 may be lost",
        "bf16": "kept: the fastest that holds",
    }


def test_a_loss_up_to_the_limit_holds_and_a_hair_more_falls() -> None:
    assert fault(Drop(1.5), 2.0, 1.5) is None
    assert fault(Drop(-0.3), 2.0, 0.0) is None
    assert fault(Drop(1.51), 2.0, 1.5) == "loses 1.51 points; at most 1.5 may be lost"


def test_what_is_no_faster_than_dense_falls() -> None:
    assert fault(Drop(0.0), 1.0, 1.0) == "no faster than dense, 1.00 x"
    builder = Says({"int8": Found(Drop(0.0), 0.8), "half+int8": kept(1.2)})
    tries = decide(plan([INT8, HALF]), builder, builder.budget())
    assert said(tries)["int8"] == "fell: no faster than dense, 0.80 x"
    assert tries[1].expected_gain == pytest.approx(0.8 / (0.13 + 0.87 / 2), abs=0.01), "it was measured all the same"


@pytest.mark.parametrize("error", [RecipeError("The loss is nan."), BackendError("The engine ended.")])
def test_a_chain_that_fails_does_not_end_the_others(error: Exception) -> None:
    builder = Says({"int8": error, "half+int8": kept(2.0)})
    tries = decide(plan([INT8, HALF]), builder, builder.budget())
    assert said(tries) == {"int8": f"failed: {error}", "half+int8": "kept: the fastest that holds"}


def test_what_would_fail_for_all_ends_the_run() -> None:
    builder = Says({"int8": StoreError("The disk is full.")})
    with pytest.raises(StoreError):
        decide(plan(), builder, builder.budget())


def test_when_the_time_is_up_it_is_said_of_the_chain_that_was_trained_and_of_the_others() -> None:
    builder = Says({"int8": fell(2), "bf16": fell(2), "third+int8": TimeIsUp("movement: step 12 of 90")})
    tries = decide(plan(), builder, builder.budget(3.0))
    assert builder.asked == ["int8", "bf16", "third+int8"]
    assert list(said(tries).values())[2:] == [
        "stopped: the time budget was over at 'movement: step 12 of 90'",
        "not begun: the time budget was over",
    ]
    assert [one.seconds for one in tries] == [7.0, 7.0, 7.0, None]


def test_however_little_time_is_left_a_chain_is_begun() -> None:
    builder = Says({"int8": fell(2), "half+int8": kept(2.0)})
    decide(plan([INT8, HALF]), builder, builder.budget(1.001))
    assert builder.asked == ["int8", "half+int8"]


def test_without_time_the_fallback_is_not_begun_either() -> None:
    builder = Says({})
    assert {one.verdict for one in decide(plan(), builder, builder.budget(0.0))} == {"not begun"}


def decided(recipe: str, verdict: str, **others: object) -> Try:
    return Try(recipe=recipe, verdict=verdict, why="as it was", **others)  # type: ignore[arg-type]


def test_what_was_decided_is_not_tried_again_and_what_was_not_is() -> None:
    known = [
        decided("int8", "kept", gain=2.4, variant="int8", sha256="x"),
        decided("bf16", "fell", drop=3.0),
        decided("third+int8", "stopped"),
        decided("half+int8", "failed"),
    ]
    builder = Says({"third+int8": fell(2), "half+int8": kept(4.0)}, in_store=["int8"])
    tries = decide(plan(known=known), builder, builder.budget())
    assert builder.asked == ["third+int8", "half+int8"]
    assert (tries[0].gain, tries[1]) == (2.4, known[1])


def test_a_kept_variant_that_is_no_longer_there_is_built_again() -> None:
    known = [decided("int8", "kept", gain=2.4, variant="int8", sha256="x")]
    builder = Says({"int8": kept(2.5)})
    (again,) = decide(plan([INT8], known), builder, builder.budget())
    assert (builder.asked, again.gain) == (["int8"], 2.5)


def test_without_time_what_was_stopped_stays_so_and_what_was_not_begun_is_said_anew() -> None:
    known = [decided("int8", "stopped", seconds=4.0), decided("half+int8", "not begun")]
    builder = Says({})
    tries = decide(plan([INT8, HALF], known), builder, builder.budget(0.0))
    assert tries[0] == known[0]
    assert said(tries)["half+int8"] == "not begun: the time budget was over"


def test_all_that_is_known_is_kept_after_each_chain() -> None:
    told: list[dict[str, str]] = []
    known = [decided("half+int8", "stopped")]
    builder = Says({"int8": kept(2.0), "half+int8": fell(2)})
    asked = replace(plan([INT8, HALF], known), keep=lambda tries: told.append(said(tries)))
    decide(asked, builder, builder.budget())
    assert told[0] == {"int8": "kept: the fastest that holds", "half+int8": "stopped: as it was"}
    assert told[-1]["half+int8"].startswith("fell: ")


def test_what_cannot_be_built_comes_last_with_the_reason() -> None:
    builder = Says({"int8": kept(2.0)})
    tries = decide(
        plan([INT8], left_out=[LeftOut("layers:0", "the checkpoint has one layer")]), builder, builder.budget()
    )
    assert list(said(tries).items())[-1] == ("layers:0", "left out: the checkpoint has one layer")


def test_what_was_found_is_in_the_record_rounded_as_it_is_read() -> None:
    builder = Says({"int8": Found(Drop(0.456, (-0.2, 1.1)), 2.4567, "int8", "hash")})
    (one,) = decide(plan([INT8]), builder, builder.budget())
    assert (one.gain, one.drop, one.drop_interval) == (2.46, 0.46, (-0.2, 1.1))
    assert (one.seconds, one.variant, one.sha256) == (7.0, "int8", "hash")
