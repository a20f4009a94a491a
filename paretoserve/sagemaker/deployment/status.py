"""What an endpoint says of itself, as a table."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.aws import Aws, DeploymentError
from paretoserve.sagemaker.deployment.calls import Call
from paretoserve.sagemaker.deployment.plan import REPORT_TAG, describe_endpoint, resource_id, sagemaker
from paretoserve.sagemaker.deployment.removing import scalable_targets
from paretoserve.terminal.rich_tables import new_table

_NONE = "\N{EN DASH}"


def described(aws: Aws, endpoint: str) -> dict[str, Any]:
    """The endpoint as AWS describes it.

    Raises:
        ParetoServeError: there is none of that name.
        DeploymentError: AWS refused the call.
    """
    try:
        return aws.do(describe_endpoint(endpoint))
    except DeploymentError as exc:
        if exc.is_missing:
            raise ParetoServeError(
                f"There is no endpoint {endpoint!r} in {aws.region}; look whether name and region are right."
            ) from exc
        raise


def status_lines(aws: Aws, found: dict[str, Any]) -> Iterator[str]:
    """The state, why it failed if it did, and the report that it is scaled by."""
    yield f"{found['EndpointName']} in {aws.region}: {found['EndpointStatus']}"
    if reason := found.get("FailureReason"):
        yield f"Reason: {reason}"
    tags = aws.do(sagemaker("ListTags", ResourceArn=found["EndpointArn"]))["Tags"]
    for tag in tags:
        if tag["Key"] == REPORT_TAG:
            yield f"Scaled by: {tag['Value']}"


def variants_table(aws: Aws, found: dict[str, Any]) -> Table:
    table = new_table("variant", "weight", "instances", "scales between", "at invocations/min each")
    endpoint, variants = found["EndpointName"], found.get("ProductionVariants", ())
    resources = [resource_id(endpoint, one["VariantName"]) for one in variants]
    bounds = {one["ResourceId"]: one for one in scalable_targets(aws, resources)}
    for one in variants:
        resource = resource_id(endpoint, one["VariantName"])
        table.add_row(*_cells(one), *_scaling_cells(aws, bounds.get(resource)))
    for one in found.get("ShadowProductionVariants", ()):
        name, *others = _cells(one)
        table.add_row(f"{name} (shadow)", *others, _NONE, _NONE)
    return table


def _cells(variant: dict[str, Any]) -> tuple[str, str, str]:
    return (
        variant["VariantName"],
        _changing(variant.get("CurrentWeight"), variant.get("DesiredWeight")),
        _changing(variant.get("CurrentInstanceCount"), variant.get("DesiredInstanceCount")),
    )


def _changing(current: float | None, desired: float | None) -> str:
    """`1`, or `1 → 3` on the way there."""
    if current is None and desired is None:
        return _NONE
    if current is None or desired is None or current == desired:
        return f"{desired if current is None else current:g}"
    return f"{current:g} → {desired:g}"


def _scaling_cells(aws: Aws, target: dict[str, Any] | None) -> tuple[str, str]:
    if target is None:
        return _NONE, _NONE
    arguments = {"ServiceNamespace": "sagemaker", "ResourceId": target["ResourceId"]}
    policies = aws.do(Call("application-autoscaling", "DescribeScalingPolicies", arguments))["ScalingPolicies"]
    targets = [
        f"{one['TargetTrackingScalingPolicyConfiguration']['TargetValue']:g}"
        for one in policies
        if one.get("TargetTrackingScalingPolicyConfiguration")
    ]
    return f"{target['MinCapacity']} and {target['MaxCapacity']}", ", ".join(targets) or _NONE
