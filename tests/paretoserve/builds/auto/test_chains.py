import pytest

from paretoserve.builds.auto.chains import Chain, catalogue, expected_gain
from paretoserve.builds.build import recipe_of
from recipes.export.catalogue import EXPORTERS, backends_of
from recipes.export.precisions import PRECISIONS


def words_of(target: str) -> list[str]:
    return [word for word, precision in PRECISIONS.items() if precision in EXPORTERS[target].precisions]


@pytest.mark.parametrize("target", EXPORTERS)
def test_every_chain_is_a_recipe_that_can_be_written_for_the_engine(target: str) -> None:
    chains = catalogue(target, words_of(target), 6).chains
    recipes = [recipe_of(chain.recipe) for chain in chains]
    assert [recipe.text for recipe in recipes] == [chain.recipe for chain in chains]
    assert len({recipe.name for recipe in recipes}) == len(chains)
    assert all(target in backends_of(recipe.precision) for recipe in recipes)
    assert all(bool(recipe.steps) == (chain.passes > 0) for chain, recipe in zip(chains, recipes, strict=True))


def recipes_of(target: str, layers: int = 6) -> list[str]:
    return [chain.recipe for chain in catalogue(target, words_of(target), layers).chains]


def test_chains_end_in_the_two_fastest_precisions_of_the_engine() -> None:
    assert {"int8", "bf16", "movement:macs<=40%+int8", "movement:macs<=40%+bf16"} <= set(recipes_of("openvino"))
    assert {"int8", "layers:3+int8", "layers:3"} <= set(recipes_of("onnxruntime"))
    assert {"bf16", "layers:3+bf16", "layers:3"} <= set(recipes_of("torch"))


def test_zeros_are_for_the_engine_that_skips_them() -> None:
    assert "sparse:80:block4+int8" in recipes_of("deepsparse")
    assert not [one for one in recipes_of("openvino") if "sparse" in one]


def test_what_cannot_be_built_is_named_with_the_reason() -> None:
    left_out = {one.recipe: one.why for one in catalogue("torch", words_of("torch"), 1).left_out}
    assert left_out == {
        "int8": "nothing is written for torch in it",
        "layers:0+bf16": "the checkpoint has one layer",
        "layers:0": "the checkpoint has one layer",
    }
    assert not [one for one in recipes_of("deepsparse", 1) if "layers" in one]
    assert "layers:6+int8" in recipes_of("openvino", 12)


def test_less_work_and_a_faster_precision_are_expected_to_gain_more() -> None:
    cut = [expected_gain(Chain("some", "int8", share, 5.0), {}) for share in (1.0, 0.6, 0.5, 0.4, 0.3)]
    assert cut == sorted(cut)
    assert cut[0] == expected_gain(Chain("", "int8"), {}) == 2.5
    assert expected_gain(Chain("some", "dense", 0.5, 5.0), {}) < expected_gain(Chain("some", "bf16", 0.5, 5.0), {})


def test_half_of_the_layers_take_more_than_half_of_the_time() -> None:
    assert 1.5 < expected_gain(Chain("layers:3", "dense", 0.5, 4.0), {}) < 2.0


def test_what_a_precision_gains_here_takes_the_place_of_the_usual() -> None:
    half = Chain("layers:3", "int8", 0.5, 4.0)
    assert expected_gain(half, {"int8": 5.0}) == pytest.approx(2 * expected_gain(half, {}))
    assert expected_gain(half, {"bf16": 5.0}) == expected_gain(half, {})
