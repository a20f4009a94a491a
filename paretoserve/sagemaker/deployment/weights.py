"""Shifts the requests of an endpoint between its variants."""

import math
from collections.abc import Mapping, Sequence

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.aws import Aws
from paretoserve.sagemaker.deployment.calls import Call
from paretoserve.sagemaker.deployment.checks import check_name, check_weights
from paretoserve.sagemaker.deployment.making import PATIENCE, Patience, wait_until_in_service
from paretoserve.sagemaker.deployment.plan import sagemaker
from paretoserve.sagemaker.deployment.status import described
from paretoserve.terminal.progress import Progress


def parse_weights(texts: Sequence[str]) -> dict[str, float]:
    """Read `int8=9`, one for each variant.

    Raises:
        ParetoServeError: one is none, a variant comes twice, or all weights are 0.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name in found:
            raise ParetoServeError(f"Variant {name!r} has two weights; give one.")
        found[check_name(name, "The variant")] = parse_weight(number, text)
    check_weights(list(found.values()), len(found))
    return found


def parse_weight(number: str, text: str) -> float:
    try:
        weight = float(number)
    except ValueError as exc:
        raise ParetoServeError(f"{text!r} is no weight; give a number, as in int8=9.") from exc
    if not math.isfinite(weight) or weight < 0:
        raise ParetoServeError(f"{text!r} is no weight; give a number from 0, as in int8=9.")
    return weight


def weights_call(endpoint: str, weights: Mapping[str, float]) -> Call:
    desired = [{"VariantName": name, "DesiredWeight": weight} for name, weight in weights.items()]
    return sagemaker("UpdateEndpointWeightsAndCapacities", EndpointName=endpoint, DesiredWeightsAndCapacities=desired)


def set_weights(
    aws: Aws, endpoint: str, weights: Mapping[str, float], report: Progress, patience: Patience = PATIENCE
) -> None:
    """Give variants of the endpoint other weights; those that are not named keep theirs.

    Raises:
        ParetoServeError: there is no such endpoint or variant, or none would get a request.
        DeploymentError: AWS refused a call.
    """
    variants = described(aws, endpoint).get("ProductionVariants", ())
    now = {one["VariantName"]: one.get("DesiredWeight", one.get("CurrentWeight", 0.0)) for one in variants}
    for name in weights:
        if name not in now:
            raise ParetoServeError(f"Endpoint {endpoint!r} has no variant {name!r}; it has {', '.join(now)}.")
    after = {**now, **weights}
    check_weights(list(after.values()), len(after))
    report("weights", 0.0)
    aws.do(weights_call(endpoint, weights))
    wait_until_in_service(aws, endpoint, report, patience)
