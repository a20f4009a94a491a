import pytest

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.emulator.description import ProductionVariant
from tests.paretoserve.sagemaker.emulator.emulated import endpoint


def test_weights_are_of_the_variants_that_are_named_and_1_of_the_others() -> None:
    described = endpoint(["a@openvino", "b", "c"], ["a@openvino=0.5", "b=0"], shadow="c")
    assert described.variants == (ProductionVariant("a@openvino", 0.5), ProductionVariant("b", 0.0))


@pytest.mark.parametrize(
    ("weights", "shadow", "more", "message"),
    [
        (["d=1"], None, {}, "for no production variant"),
        (["c=1"], "c", {}, "for no production variant"),
        (["a"], None, {}, "for no production variant"),
        (["a=x"], None, {}, "is no number"),
        (["a=-1"], None, {}, "must be a number from 0"),
        (["a=nan"], None, {}, "must be a number from 0"),
        (["a=0", "b=0", "c=0"], None, {}, "No production variant gets traffic"),
        ([], "d", {}, "is not served"),
        ([], None, {"async_output": "answers"}, "is no folder of S3"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    weights: list[str], shadow: str | None, more: dict[str, str], message: str
) -> None:
    with pytest.raises(ParetoServeError, match=message):
        endpoint(["a", "b", "c"], weights, shadow, **more)
