"""Removes an endpoint with all that `deploy` made for it, and nothing else: it is known by its tags."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.aws import Aws, DeploymentError
from paretoserve.sagemaker.deployment.calls import Call, Step
from paretoserve.sagemaker.deployment.making import PATIENCE, Patience
from paretoserve.sagemaker.deployment.plan import (
    DIMENSION,
    ENDPOINT_TAG,
    METADATA,
    describe_endpoint,
    resource_id,
    sagemaker,
    scalable,
)
from paretoserve.terminal.progress import Progress


def found_of(aws: Aws, endpoint: str) -> list[Step]:
    """What deploy made for the endpoint and is still there, in the order in which it is to be removed.

    Raises:
        ParetoServeError: there is nothing, or the endpoint was made by somebody else.
        DeploymentError: AWS refused a call.
    """
    found = [*_endpoint(aws, endpoint), *_configuration(aws, endpoint), *_models(aws, endpoint)]
    if not found:
        raise ParetoServeError(
            f"There is no endpoint {endpoint!r} in {aws.region}, and nothing else that deploy made for it; look "
            "whether name and region are right."
        )
    return found


def remove(aws: Aws, found: list[Step], report: Progress, patience: Patience = PATIENCE) -> None:
    """Carry out what `found_of` found, and wait until the endpoint is gone.

    Raises:
        DeploymentError: AWS refused a call; what comes after it stays, and can be removed by the same command.
    """
    for i, step in enumerate(found):
        report(step.what, i / len(found))
        # Somebody may have removed it meanwhile.
        _answer(aws, step.call)
    for step in found:
        if step.call.operation == "DeleteEndpoint":
            _wait_until_gone(aws, step.call.arguments["EndpointName"], report, patience)


def _answer(aws: Aws, call: Call) -> dict[str, Any] | None:
    """None where there is nothing of the name."""
    try:
        return aws.do(call)
    except DeploymentError as exc:
        if exc.is_missing:
            return None
        raise


def _wait_until_gone(aws: Aws, endpoint: str, report: Progress, patience: Patience) -> None:
    since_s = time.monotonic()
    while (found := _answer(aws, describe_endpoint(endpoint))) is not None:
        if time.monotonic() - since_s >= patience.timeout_s:
            raise DeploymentError(
                f"Endpoint {endpoint!r} is still {found['EndpointStatus']} after {patience.timeout_s / 60:.0f} "
                f"minutes; look again with: paretoserve deploy status {endpoint}."
            )
        report(f"endpoint {endpoint!r} is {found['EndpointStatus']}", 1.0)
        time.sleep(patience.poll_s)


def _endpoint(aws: Aws, endpoint: str) -> Iterator[Step]:
    described = _answer(aws, describe_endpoint(endpoint))
    if described is None:
        return
    if not _is_ours(aws, described["EndpointArn"], endpoint):
        raise ParetoServeError(
            f"Endpoint {endpoint!r} was not made by paretoserve deploy: it lacks the tag {ENDPOINT_TAG}; remove it "
            "where it was made."
        )
    resources = [resource_id(endpoint, one["VariantName"]) for one in described.get("ProductionVariants", ())]
    for target in scalable_targets(aws, resources):
        what = f"autoscaling of {target['ResourceId'].rpartition('/')[2]!r}"
        yield Step(what, scalable("DeregisterScalableTarget", target["ResourceId"]))
    yield Step(f"endpoint {endpoint!r}", sagemaker("DeleteEndpoint", EndpointName=endpoint))


def scalable_targets(aws: Aws, resources: list[str]) -> list[dict[str, Any]]:
    """Of the variants that are scaled, by what Application Auto Scaling calls them."""
    arguments = {"ServiceNamespace": "sagemaker", "ResourceIds": resources, "ScalableDimension": DIMENSION}
    call = Call("application-autoscaling", "DescribeScalableTargets", arguments)
    return list(aws.do(call)["ScalableTargets"]) if resources else []


def _configuration(aws: Aws, endpoint: str) -> Iterator[Step]:
    described = _answer(aws, sagemaker("DescribeEndpointConfig", EndpointConfigName=endpoint))
    if described and _is_ours(aws, described["EndpointConfigArn"], endpoint):
        delete = sagemaker("DeleteEndpointConfig", EndpointConfigName=endpoint)
        yield Step(f"configuration {endpoint!r}", delete)


def _models(aws: Aws, endpoint: str) -> Iterator[Step]:
    """The models, each after its archive, which nothing else names. They are listed by name, since not
    every description of an endpoint has its shadow variants."""
    for model in _listed(aws, endpoint):
        if not _is_ours(aws, model["ModelArn"], endpoint):
            continue
        name = {"ModelName": model["ModelName"]}
        url = aws.do(sagemaker("DescribeModel", **name))["PrimaryContainer"]["ModelDataUrl"]
        where = {"Bucket": urlsplit(url).netloc, "Key": urlsplit(url).path.removeprefix("/")}
        head = _answer(aws, Call("s3", "HeadObject", where))
        if head and head["Metadata"].get(METADATA) == endpoint:
            yield Step(f"archive {url}", Call("s3", "DeleteObject", where))
        yield Step(f"model {model['ModelName']!r}", sagemaker("DeleteModel", **name))


def _listed(aws: Aws, endpoint: str) -> Iterator[dict[str, Any]]:
    further: dict[str, Any] = {}
    while True:
        page = aws.do(sagemaker("ListModels", NameContains=f"{endpoint}-", MaxResults=100, **further))
        yield from page["Models"]
        if not page.get("NextToken"):
            return
        further = {"NextToken": page["NextToken"]}


def _is_ours(aws: Aws, arn: str, endpoint: str) -> bool:
    return {"Key": ENDPOINT_TAG, "Value": endpoint} in aws.do(sagemaker("ListTags", ResourceArn=arn))["Tags"]
