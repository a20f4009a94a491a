"""From what the command line was given to the deployment that it asks for, with everything checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.aws import known_instance_types
from paretoserve.sagemaker.deployment.checks import (
    check_bucket,
    check_environment,
    check_instances,
    check_name,
    check_region,
    check_role,
    check_tags,
    check_weights,
)
from paretoserve.sagemaker.deployment.packing import Packed, pack_all
from paretoserve.sagemaker.deployment.plan import Deployment, Variant
from paretoserve.sagemaker.deployment.scaling import Measured, read_measured
from paretoserve.sagemaker.deployment.weights import parse_weight

BACKEND_FIELD = "{backend}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Options of `paretoserve deploy create`, as they were typed."""

    endpoint: str
    candidates: tuple[str, ...]
    image: str
    """Where it has {backend}, the name of each candidate's engine is put in."""
    role: str
    bucket: str
    instance_type: str
    instances: int = 1
    weights: str | None = None
    shadow: str | None = None
    shadow_share: float = 1.0
    autoscale: Path | None = None
    max_instances: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None


def deployment_of(asked: Asked, work: Path) -> Deployment:
    """Check what was asked for and pack its candidates; `work` is a folder for archives.

    Raises:
        ParetoServeError: something is not as SageMaker takes it; nothing was asked of AWS.
        LoadTestError: there is no report to scale by.
    """
    weights = _checked_weights(asked)
    measured = read_measured(asked.autoscale) if asked.autoscale else None
    packed = pack_all([*asked.candidates, *([asked.shadow] if asked.shadow else [])], work)
    variants = [_variant(asked, one, measured) for one in packed]
    check_region(asked.region, [one.image for one in variants])
    # The shadow variant comes last and has no weight among the others.
    production = [
        replace(one, weight=weight, scaling=measured.scaling(one.packed.candidate) if measured else None)
        for one, weight in zip(variants, weights, strict=False)
    ]
    return Deployment(
        endpoint=asked.endpoint,
        variants=tuple(production),
        shadow=variants[-1] if asked.shadow else None,
        role=asked.role,
        bucket=asked.bucket,
        instance_type=asked.instance_type,
        instances=asked.instances,
        max_instances=asked.max_instances,
        tags=asked.tags,
    )


def _checked_weights(asked: Asked) -> list[float]:
    """Check all that needs no file; the weight of each candidate."""
    check_name(asked.endpoint, "The endpoint")
    check_role(asked.role)
    check_bucket(asked.bucket)
    check_environment(asked.environment)
    check_tags(asked.tags)
    check_region(asked.region)
    if (asked.autoscale is None) != (asked.max_instances is None):
        raise ParetoServeError("--autoscale and --max-instances belong together; give both, or neither.")
    if asked.shadow and len(asked.candidates) > 1:
        raise ParetoServeError("SageMaker takes a shadow variant beside a single other one; give one candidate.")
    check_instances(asked.instance_type, known_instance_types(), asked.instances, asked.max_instances)
    texts = asked.weights.split(",") if asked.weights is not None else ["1"] * len(asked.candidates)
    weights = [parse_weight(text.strip(), text) for text in texts]
    check_weights(weights, len(asked.candidates))
    return weights


def _variant(asked: Asked, packed: Packed, measured: Measured | None) -> Variant:
    """As a shadow variant is; the others have a weight and a scaling of their own."""
    return Variant(
        packed=packed,
        image=asked.image.replace(BACKEND_FIELD, packed.backend),
        weight=asked.shadow_share,
        environment={**(measured.environment if measured else {}), **asked.environment},
    )


def assignments(texts: list[str] | None, option: str) -> dict[str, str]:
    """Read `NAME=VALUE`, several times; what is wrong is told without the value, which may be secret."""
    found = {}
    for text in texts or ():
        name, is_given, value = text.partition("=")
        if not is_given or not name:
            raise ParetoServeError(
                f"{option} takes NAME=VALUE; one that was given has no {'name' if is_given else '='}."
            )
        if name in found:
            raise ParetoServeError(f"{option} has {name} twice; give it once.")
        found[name] = value
    return found
