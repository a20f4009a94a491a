from pathlib import Path

import pytest

from model_store.errors import EnvironmentUnavailable, ParetoServeError, RecipeError
from paretoserve.builds.auto.request import AutoRequest, auto_request
from paretoserve.builds.build import BuildRequest
from paretoserve.environments.catalogue import ENGINES, Engine


def request(*recipes: str, backends: tuple[str, ...] | None = None, max_drop: float | None = None) -> BuildRequest:
    return BuildRequest("checkpoint", "data", recipes, Path("store"), backends=backends, max_drop=max_drop)


def asked(made: BuildRequest, target: str | None = None, budget: str | None = None) -> AutoRequest:
    found = auto_request(made, target, budget)
    assert found is not None
    return found


def test_any_other_recipe_is_none_of_it() -> None:
    assert auto_request(request("int8", "dense"), None, None) is None


def test_without_wishes_a_point_may_be_lost_and_four_hours_be_trained_for_the_engine_that_comes_first() -> None:
    found = asked(request(" auto "))
    assert (found.target, found.max_drop, found.budget_s) == ("openvino", 1.0, 4 * 3600)
    assert (found.build.recipes, found.build.backends, found.build.max_drop) == ((), ("openvino",), 1.0)


def test_wishes_are_followed() -> None:
    found = asked(request("auto", max_drop=0.0), "onnxruntime", "30m")
    assert (found.target, found.max_drop, found.budget_s) == ("onnxruntime", 0.0, 1800)


def test_of_the_engines_that_are_installed_the_first_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "openvino", Engine("openvino", "there_is_no_such_engine"))
    assert asked(request("auto")).target == "onnxruntime"
    with pytest.raises(EnvironmentUnavailable, match="run: paretoserve env create openvino"):
        auto_request(request("auto"), "openvino", None)


@pytest.mark.parametrize(
    ("made", "target", "budget", "message"),
    [
        (request("auto", "int8"), None, None, "^--recipe auto chooses what is built and stands alone; build 'int8' by"),
        (request("int8"), "openvino", None, "^--target is for --recipe auto alone; leave it out, or give that recipe"),
        (request("int8"), None, "2h", "^--time-budget is for --recipe auto alone"),
        (request("auto", backends=("onnxruntime",)), None, None, "give --target onnxruntime instead of --backend"),
        (request("auto"), "transformers", None, "'transformers'; choose one of torch, .*, openvino, deepsparse"),
        (request("auto"), None, "an evening", "--time-budget 'an evening' is no length of time"),
    ],
)
def test_what_makes_no_sense_is_told(made: BuildRequest, target: str | None, budget: str | None, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        auto_request(made, target, budget)


def test_rows_to_measure_on_have_no_part_in_it() -> None:
    made = BuildRequest("checkpoint", "data", ("auto",), Path("store"), calibrate_on_evaluation=True)
    with pytest.raises(ParetoServeError, match="needs a train split; leave out --calibrate-on-evaluation"):
        auto_request(made, None, None)
