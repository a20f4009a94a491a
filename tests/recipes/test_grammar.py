from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from model_store.errors import RecipeError
from recipes.grammar import Recipe, Steps, parse_recipe
from recipes.steps.base import StepInput, parameter, word
from recipes.steps.nas_step import Nas


@dataclass(frozen=True, slots=True)
class Layers:
    name: ClassVar[str] = "layers"
    uses_latency: ClassVar[bool] = False

    count: int = parameter(1, 48)

    def run(self, given: StepInput) -> Path:
        return given.checkpoint


@dataclass(frozen=True, slots=True)
class Sparse:
    name: ClassVar[str] = "sparse"
    uses_latency: ClassVar[bool] = False

    percent: float = parameter(1, 99)
    block: int = parameter(1, 16, default=1)

    def run(self, given: StepInput) -> Path:
        return given.checkpoint


@dataclass(frozen=True, slots=True)
class Search:
    name: ClassVar[str] = "search"
    uses_latency: ClassVar[bool] = True

    pick: str = word(r"largest|error<=dense\+[\d.]+", "'largest' or a rule like 'error<=dense+1.0'", default="largest")

    def run(self, given: StepInput) -> Path:
        return given.checkpoint


STEPS: Steps = {"layers": Layers, "sparse": Sparse, "search": Search, "nas": Nas}


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("dense", Recipe((), "fp32")),
        ("bf16", Recipe((), "bf16")),
        ("layers:3", Recipe((Layers(3),), "fp32")),
        ("layers:3+dense", Recipe((Layers(3),), "fp32")),
        ("layers:3+sparse:70+int8", Recipe((Layers(3), Sparse(70.0)), "int8")),
        ("search:error<=dense+1.0+int8", Recipe((Search("error<=dense+1.0"),), "int8")),
        (" sparse:62.5:4 + bf16", Recipe((Sparse(62.5, 4),), "bf16")),
    ],
)
def test_a_recipe_is_steps_and_at_last_a_precision(text: str, recipe: Recipe) -> None:
    assert parse_recipe(text, STEPS) == recipe


@pytest.mark.parametrize(
    ("text", "canonical", "name"),
    [
        ("dense", "dense", "dense"),
        ("int8", "int8", "int8"),
        ("layers:3+dense", "layers:3", "layers-3"),
        ("layers:3+sparse:70.0:1+int8", "layers:3+sparse:70+int8", "layers-3-sparse-70-int8"),
        ("sparse:62.5:4", "sparse:62.5:4", "sparse-62.5-4"),
        ("search:Largest", "search", "search"),
        ("nas:parameters<=60%+int8", "nas:parameters<=60%+int8", "nas-parameters-60-int8"),
        ("search:error<=dense+1.0+layers:3", "search:error<=dense+1.0+layers:3", "search-error-dense-1.0-layers-3"),
    ],
)
def test_one_recipe_has_one_text_and_one_name(text: str, canonical: str, name: str) -> None:
    recipe = parse_recipe(text, STEPS)
    assert (recipe.text, recipe.name) == (canonical, name)
    assert parse_recipe(recipe.text, STEPS) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int3", "there is no 'int3', perhaps 'int8' is meant; accepted are the steps layers:COUNT, "),
        ("layer:3+int8", "no 'layer', perhaps 'layers' is meant"),
        (
            "quux",
            "no 'quux'; accepted are .*sparse:PERCENT.:BLOCK., search.:PICK., nas:PICK.*, and at the end one of dense, "
            "bf16, int8",
        ),
        ("layers:99", "gives layers '99' as count, which must be a whole number from 1 to 48"),
        ("layers:2.5", "gives layers '2.5' as count"),
        ("sparse:nan", "gives sparse 'nan' as percent, which must be a number from 1 to 99"),
        ("sparse:70:17", "gives sparse '17' as block"),
        ("search:best", "gives search 'best' as pick, which must be 'largest' or a rule like"),
        ("layers+int8", "gives layers no parameters; write layers:COUNT"),
        ("layers:3:4", "gives layers 2 parameters; write layers:COUNT"),
        ("int8:8", "gives int8 a parameter, but a precision has none; write 'int8'"),
        ("int8+layers:3", "goes on after int8, which is a precision and comes last; write 'layers:3.int8'"),
        ("layers:3+bf16+int8", "has 2 precisions, bf16 and int8; keep one, at the end"),
        ("", "has an empty part; accepted are the steps"),
        ("layers:3++int8", "has an empty part"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence_with_what_is_accepted(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as raised:
        parse_recipe(text, STEPS)
    assert str(raised.value).startswith(f"Recipe {text!r}")
    assert str(raised.value).endswith(".")


@dataclass(frozen=True, slots=True)
class Movement(Search):
    name: ClassVar[str] = "movement"

    pick: str = word(r"macs<=[\d.]+%", "'macs<=50%'")


JOINT: Steps = {**STEPS, "movement": Movement}


@pytest.mark.parametrize(
    ("text", "alias", "name", "chain"),
    [
        ("jpqd", "jpqd", "jpqd", "movement:macs<=40%+int8"),
        (" jpqd:40.0 ", "jpqd", "jpqd", "movement:macs<=40%+int8"),
        ("jpqd:55", "jpqd:55", "jpqd-55", "movement:macs<=55%+int8"),
        ("jpqd:7.5", "jpqd:7.5", "jpqd-7.5", "movement:macs<=7.5%+int8"),
    ],
)
def test_an_alias_is_a_whole_recipe_under_a_short_name(text: str, alias: str, name: str, chain: str) -> None:
    recipe = parse_recipe(text, JOINT)
    assert (recipe.text, recipe.name, recipe.chain) == (alias, name, chain)
    assert parse_recipe(recipe.text, JOINT) == recipe
    spelled_out = parse_recipe(chain, JOINT)
    assert (recipe.steps, recipe.precision) == (spelled_out.steps, spelled_out.precision)
    assert (spelled_out.text, spelled_out.alias) == (chain, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jpqd:100", "gives jpqd '100', which must be a number of percent from 1 to below 100; without one it is 40"),
        ("jpqd:", "gives jpqd ''"),
        ("jpqd:40:2", "gives jpqd '40:2'"),
        ("jpqd+int8", r"goes on beside jpqd, which is a whole recipe; write 'movement:macs<=40%\+int8' for it"),
        ("layers:3+jpqd:50", r"write 'movement:macs<=50%\+int8' for it"),
        ("jpdq", r"perhaps 'jpqd' is meant; accepted are .*; or alone jpqd\[:PERCENT\], or auto\."),
        ("auto+int8", r"has auto in a chain, but auto tries whole chains; give --recipe auto alone\."),
        ("layers:3+auto:2", r"has auto in a chain"),
        ("auot", r"perhaps 'auto' is meant"),
    ],
)
def test_an_alias_stands_alone_with_a_share(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text, JOINT)


def test_a_name_for_a_folder_has_no_hyphen_at_an_end() -> None:
    assert parse_recipe("movement:macs<=50%+int8", JOINT).name == "movement-macs-50-int8"
    assert parse_recipe("movement:macs<=50%", JOINT).name == "movement-macs-50"


def test_without_steps_the_precisions_are_what_is_accepted() -> None:
    with pytest.raises(RecipeError, match=r"perhaps 'int8' is meant; accepted are dense, bf16, int8\.$"):
        parse_recipe("int3", {})
