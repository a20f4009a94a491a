"""Requests are shifted between the variants of an endpoint."""

from pathlib import Path

import pytest

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.making import make
from paretoserve.sagemaker.deployment.weights import parse_weights, set_weights
from tests.paretoserve.sagemaker.deployment.account import QUICK, Account, client, our_aws, planned, quiet


@pytest.fixture
def endpoint(account: Account, tmp_path: Path) -> str:
    make(our_aws(), planned(tmp_path, "int8", "dense"), quiet, QUICK)
    return "sst2"


def desired(endpoint: str) -> dict[str, float]:
    variants = client("sagemaker").describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    return {one["VariantName"]: one["DesiredWeight"] for one in variants}


def test_those_that_are_named_get_other_weights(endpoint: str) -> None:
    set_weights(our_aws(), endpoint, {"int8": 9.0}, quiet, QUICK)
    assert desired(endpoint) == {"int8": 9.0, "dense": 1.0}
    set_weights(our_aws(), endpoint, parse_weights(["int8=0", "dense=0.5"]), quiet, QUICK)
    assert desired(endpoint) == {"int8": 0.0, "dense": 0.5}


@pytest.mark.parametrize(
    ("weights", "says"),
    [({"nas": 1.0}, "has no variant 'nas'; it has int8, dense"), ({"int8": 0.0, "dense": 0.0}, "not all of them 0")],
)
def test_what_would_leave_no_variant_or_is_none_is_refused(endpoint: str, weights: dict[str, float], says: str) -> None:
    with pytest.raises(ParetoServeError, match=says):
        set_weights(our_aws(), endpoint, weights, quiet, QUICK)
    assert desired(endpoint) == {"int8": 1.0, "dense": 1.0}


def test_no_request_is_left_where_all_others_have_none_already(endpoint: str) -> None:
    set_weights(our_aws(), endpoint, {"dense": 0.0}, quiet, QUICK)
    with pytest.raises(ParetoServeError, match="not all of them 0"):
        set_weights(our_aws(), endpoint, {"int8": 0.0}, quiet, QUICK)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["int8"], "'int8' is no weight"),
        (["int8=a"], "'int8=a' is no weight"),
        (["int8=-1"], "give a number from 0"),
        (["int8=1", "int8=2"], "'int8' has two weights"),
        (["int8@openvino=1"], "'int8@openvino' is no name for SageMaker"),
        (["int8=0"], "not all of them 0"),
    ],
)
def test_what_is_no_weight_is_told(texts: list[str], says: str) -> None:
    with pytest.raises(ParetoServeError, match=says):
        parse_weights(texts)
