"""What making an endpoint takes: a list of calls, found without asking AWS for anything.

One model for each candidate, one endpoint configuration with a variant for each, the endpoint, and for each variant a
scalable target with a policy that tracks a number of invocations.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paretoserve.candidates.candidate import USER_MODEL
from paretoserve.sagemaker.deployment.calls import Call, Step
from paretoserve.sagemaker.deployment.checks import check_name
from paretoserve.sagemaker.deployment.packing import Packed
from paretoserve.sagemaker.deployment.scaling import Scaling

# By these tags what deploy made is known again. S3 has them as metadata of the object.
ENDPOINT_TAG = "paretoserve:endpoint"
CANDIDATE_TAG = "paretoserve:candidate"
HASH_TAG = "paretoserve:sha256"
REPORT_TAG = "paretoserve:scaled-by"
METADATA = "paretoserve-endpoint"

METRIC = "SageMakerVariantInvocationsPerInstance"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
# As AWS' examples have them: an instance that comes late costs more than one that goes late.
_SCALE_IN_COOLDOWN_S, _SCALE_OUT_COOLDOWN_S = 600, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A candidate on the endpoint. `scaling` is None where its number of instances is fixed."""

    packed: Packed
    image: str
    weight: float = 1.0
    environment: Mapping[str, str]
    scaling: Scaling | None = None

    @property
    def name(self) -> str:
        return self.packed.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An endpoint as it is to be. The weight of a `shadow` is the share of requests that it gets a copy of."""

    endpoint: str
    variants: tuple[Variant, ...]
    shadow: Variant | None = None
    role: str
    bucket: str
    instance_type: str
    instances: int = 1
    max_instances: int | None = None
    tags: Mapping[str, str]

    @property
    def all_variants(self) -> tuple[Variant, ...]:
        return (*self.variants, self.shadow) if self.shadow else self.variants


@dataclass(frozen=True, slots=True)
class Plan:
    """`absent` must find nothing; then come `steps`, the wait for the endpoint by `wait`, and `scaling`."""

    endpoint: str
    absent: tuple[Call, ...]
    steps: tuple[Step, ...]
    wait: Call
    scaling: tuple[Step, ...]

    @property
    def calls(self) -> tuple[Call, ...]:
        """All, in their order; the wait is repeated until the endpoint is in service."""
        return (*self.absent, *(one.call for one in self.steps), self.wait, *(one.call for one in self.scaling))


def plan_of(wanted: Deployment) -> Plan:
    """The calls for an endpoint whose parts were checked.

    Raises:
        ParetoServeError: a name that is made of two is too long.
    """
    steps = [step for one in wanted.all_variants for step in (_upload(wanted, one), _model(wanted, one))]
    return Plan(
        wanted.endpoint,
        _descriptions(wanted),
        (*steps, _configuration(wanted), _endpoint(wanted)),
        describe_endpoint(wanted.endpoint),
        tuple(step for one in wanted.variants if one.scaling for step in _scaling(wanted, one, one.scaling)),
    )


def sagemaker(operation: str, **arguments: Any) -> Call:
    return Call("sagemaker", operation, arguments)


def describe_endpoint(name: str) -> Call:
    return sagemaker("DescribeEndpoint", EndpointName=name)


def resource_id(endpoint: str, variant: str) -> str:
    """What Application Auto Scaling calls a variant."""
    return f"endpoint/{endpoint}/variant/{variant}"


def scalable(operation: str, resource: str, **arguments: Any) -> Call:
    where = {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION}
    return Call("application-autoscaling", operation, {**where, **arguments})


def _model_name(wanted: Deployment, variant: Variant) -> str:
    return check_name(f"{wanted.endpoint}-{variant.name}", "The model")


def _descriptions(wanted: Deployment) -> tuple[Call, ...]:
    """What must not be there yet is asked for by its name."""
    return (
        describe_endpoint(wanted.endpoint),
        sagemaker("DescribeEndpointConfig", EndpointConfigName=wanted.endpoint),
        *(sagemaker("DescribeModel", ModelName=_model_name(wanted, one)) for one in wanted.all_variants),
    )


def _key(wanted: Deployment, variant: Variant) -> str:
    return f"paretoserve/{wanted.endpoint}/{variant.name}-{variant.packed.sha256[:16]}.tar.gz"


def _upload(wanted: Deployment, variant: Variant) -> Step:
    """S3 compares the hash with what it got, and keeps nothing that differs."""
    where = {"Bucket": wanted.bucket, "Key": _key(wanted, variant)}
    arguments = {
        **where,
        "Body": variant.packed.archive,
        "ChecksumSHA256": b64encode(bytes.fromhex(variant.packed.sha256)).decode(),
        "Metadata": {METADATA: wanted.endpoint},
    }
    what = f"archive s3://{wanted.bucket}/{where['Key']}"
    return Step(what, Call("s3", "PutObject", arguments), Call("s3", "DeleteObject", where))


def _model(wanted: Deployment, variant: Variant) -> Step:
    packed, name = variant.packed, _model_name(wanted, variant)
    suffix = "" if packed.backend == USER_MODEL else f"@{packed.backend}"
    container = {
        "Image": variant.image,
        "ModelDataUrl": f"s3://{wanted.bucket}/{_key(wanted, variant)}",
        "Environment": {"PARETOSERVE_VARIANT": f"/opt/ml/model{suffix}", **variant.environment},
    }
    tags = _tags(wanted, {CANDIDATE_TAG: packed.candidate, HASH_TAG: packed.sha256})
    return Step(
        f"model {name!r}",
        sagemaker("CreateModel", ModelName=name, PrimaryContainer=container, ExecutionRoleArn=wanted.role, Tags=tags),
        sagemaker("DeleteModel", ModelName=name),
    )


def _configuration(wanted: Deployment) -> Step:
    arguments: dict[str, Any] = {"ProductionVariants": [_variant(wanted, one) for one in wanted.variants]}
    if wanted.shadow:
        arguments["ShadowProductionVariants"] = [_variant(wanted, wanted.shadow)]
    return Step(
        f"configuration {wanted.endpoint!r}",
        sagemaker("CreateEndpointConfig", EndpointConfigName=wanted.endpoint, **arguments, Tags=_tags(wanted, {})),
        sagemaker("DeleteEndpointConfig", EndpointConfigName=wanted.endpoint),
    )


def _variant(wanted: Deployment, variant: Variant) -> dict[str, Any]:
    return {
        "VariantName": variant.name,
        "ModelName": _model_name(wanted, variant),
        "InstanceType": wanted.instance_type,
        "InitialInstanceCount": wanted.instances,
        "InitialVariantWeight": variant.weight,
    }


def _endpoint(wanted: Deployment) -> Step:
    sources = {one.scaling.source for one in wanted.variants if one.scaling}
    further = {REPORT_TAG: sources.pop()} if sources else {}
    name = {"EndpointName": wanted.endpoint}
    return Step(
        f"endpoint {wanted.endpoint!r}",
        sagemaker("CreateEndpoint", **name, EndpointConfigName=wanted.endpoint, Tags=_tags(wanted, further)),
        sagemaker("DeleteEndpoint", **name),
    )


def _scaling(wanted: Deployment, variant: Variant, scaling: Scaling) -> tuple[Step, Step]:
    resource = resource_id(wanted.endpoint, variant.name)
    bounds = {"MinCapacity": wanted.instances, "MaxCapacity": wanted.max_instances}
    policy = {
        "TargetValue": scaling.invocations_per_minute,
        "PredefinedMetricSpecification": {"PredefinedMetricType": METRIC},
        "ScaleInCooldown": _SCALE_IN_COOLDOWN_S,
        "ScaleOutCooldown": _SCALE_OUT_COOLDOWN_S,
    }
    named = {"PolicyName": f"paretoserve-{variant.name}", "PolicyType": "TargetTrackingScaling"}
    what = f"autoscaling of {variant.name!r}"
    return (
        Step(
            what,
            scalable("RegisterScalableTarget", resource, **bounds),
            scalable("DeregisterScalableTarget", resource),
        ),
        # A target's policies go with it.
        Step(
            what,
            scalable("PutScalingPolicy", resource, **named, TargetTrackingScalingPolicyConfiguration=policy),
        ),
    )


def _tags(wanted: Deployment, further: Mapping[str, str]) -> list[dict[str, str]]:
    tags = {**wanted.tags, ENDPOINT_TAG: wanted.endpoint, **further}
    return [{"Key": key, "Value": value} for key, value in tags.items()]
