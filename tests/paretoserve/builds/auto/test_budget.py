import pytest

from model_store.errors import RecipeError
from paretoserve.builds.auto.budget import Budget, TimeIsUp, Watch, length_text, read_length


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), (" 1.5H ", 5400), ("0.5 m", 30), ("8h", 28800)]
)
def test_a_length_of_time_is_a_number_and_its_unit(text: str, seconds: float) -> None:
    assert read_length(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "0h", "-1h", "2 hours", "1h30m", "1e3s", "inf h", "1.h"])
def test_any_other_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(RecipeError, match=r"is no length of time; give a number above 0 .* as in 90s, 30m or 1\.5h\.$"):
        read_length(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (41.6, "42 s"), (60, "1 min"), (3599, "59 min"), (11_101, "3 h 05 min")]
)
def test_what_is_left_reads_well(seconds: float, text: str) -> None:
    assert length_text(seconds) == text


def test_a_training_is_ended_once_the_time_is_up_and_it_is_said_where() -> None:
    now, told = [0.0], list[str]()
    watch = Watch(lambda what, done: told.append(what), Budget(60.0, now=lambda: now[0]))
    watch.report("layers: step 3 of 9, loss 0.31", 0.3)
    watch.check()
    now[0] = 60.0
    watch.report("layers: step 4 of 9, loss 0.30", 0.4)
    with pytest.raises(TimeIsUp, match=r"^layers: step 4 of 9$"):
        watch.check()
    assert told == [
        "layers: step 3 of 9, loss 0.31; 1 min of the time budget left",
        "layers: step 4 of 9, loss 0.30; 0 s of the time budget left",
    ]
