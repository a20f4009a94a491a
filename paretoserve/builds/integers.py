"""Whether an INT8 artifact is one: how many of its linear layers the engine computes in integers."""

from collections.abc import Mapping

from model_store.errors import RecipeError

# What engines call a product with a constant matrix, of bytes.
_LINEAR = ("FullyConnected", "MatMulIntegerToFloat", "MatMulInteger", "QLinearMatMul", "QGemm", "DynamicQuantizeMatMul")

LEAST_SHARE = 0.5
"""Of the linear layers of an INT8 artifact, so many are computed in integers at least."""


def check_integers(backend: str, operators: Mapping[str, int], integer: Mapping[str, int], linears: int) -> None:
    """Refuse what is INT8 by its name alone: `integer` are those of all executed `operators` that compute with bytes,
    by their kinds, and `linears` is how many linear layers the encoder has. Engines that tell no operators pass.

    Raises:
        RecipeError: less than half of the linear layers are computed in integers.
    """
    found = sum(integer.get(kind, 0) for kind in _LINEAR)
    if operators and found < LEAST_SHARE * linears:
        raise RecipeError(
            f"The int8 artifact for {backend} is mostly fp32: the engine computes {found} of its {linears} linear "
            "layers in integers on this processor; build it for another backend, or on a newer processor."
        )
