import pytest

from model_store.errors import ParetoServeError
from paretoserve.builds.integers import check_integers


def test_what_computes_half_of_its_linear_layers_in_integers_is_int8() -> None:
    check_integers("onnxruntime", {"MatMulIntegerToFloat": 12, "MatMul": 24}, {"MatMulIntegerToFloat": 12}, 24)
    check_integers("openvino", {"FullyConnected": 26, "MatMul": 12}, {"FullyConnected": 26, "MatMul": 12}, 24)


def test_what_is_mostly_fp32_is_refused() -> None:
    sentence = (
        r"^The int8 artifact for openvino is mostly fp32: the engine computes 11 of its 24 linear layers in integers"
    )
    with pytest.raises(ParetoServeError, match=sentence):
        check_integers("openvino", {"FullyConnected": 26, "MatMul": 12}, {"FullyConnected": 11, "MatMul": 12}, 24)


def test_an_engine_that_does_not_tell_is_believed() -> None:
    check_integers("deepsparse", {}, {}, 24)
