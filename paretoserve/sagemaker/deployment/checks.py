"""What is wrong with names, sizes and settings of an endpoint is told before AWS is asked for anything.

Patterns and lengths are those of the API (`ContainerDefinition`, `ProductionVariant`, `Tag`).
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from model_store.errors import ParetoServeError

MOST_NAME = 63
TAG_PREFIX = "paretoserve:"

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_IMAGE = re.compile(
    r"\d{12}\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d+)\.[a-z.]+/[a-z0-9][a-z0-9._/-]*"
    r"(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,1023}")
_TAG = re.compile(r"[\w\s.:/=+\-@]*")
_MOST_VARIABLES, _MOST_VALUE, _MOST_TAGS = 100, 1024, 45


def check_name(name: str, what: str) -> str:
    """`name`, once it is one that SageMaker takes."""
    if not _NAME.fullmatch(name) or len(name) > MOST_NAME:
        raise ParetoServeError(
            f"{what} {name!r} is no name for SageMaker; give up to {MOST_NAME} letters, digits and '-', and begin "
            "and end with none of the last."
        )
    return name


def check_role(role: str) -> str:
    if not _ROLE.fullmatch(role):
        raise ParetoServeError(
            f"--role {role!r} is no ARN of a role; give one such as arn:aws:iam::123456789012:role/sagemaker."
        )
    return role


def check_bucket(bucket: str) -> str:
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise ParetoServeError(
            f"--bucket {bucket!r} is no name of a bucket; give one such as my-models, without s3://."
        )
    return bucket


def check_image(image: str) -> str:
    """The region that the image lies in."""
    found = _IMAGE.fullmatch(image)
    if not found or len(image) > 255:
        raise ParetoServeError(
            f"--image {image!r} is no image that SageMaker can pull; give one in ECR, such as "
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/paretoserve:{backend}."
        )
    return found["region"]


def check_region(region: str | None, images: Iterable[str] = ()) -> None:
    """SageMaker pulls images of its own region alone. Without a region only what needs none is checked."""
    if region is not None and not _REGION.fullmatch(region):
        raise ParetoServeError(f"--region {region!r} is no region of AWS; give one such as eu-west-1.")
    for image in images:
        if (lies_in := check_image(image)) != (region or lies_in):
            raise ParetoServeError(
                f"The image {image!r} lies in {lies_in} and the endpoint in {region}; push it there, or give --region "
                f"{lies_in}."
            )


def check_instances(instance_type: str, known: Iterable[str], least: int, most: int | None) -> None:
    """`most` is None where nothing scales."""
    if not _INSTANCE.fullmatch(instance_type) or instance_type not in known:
        raise ParetoServeError(
            f"--instance-type {instance_type!r} is none that SageMaker's endpoints have; give one such as ml.m5.large, "
            "or upgrade boto3 if that is older."
        )
    if most is None:
        return
    if most < least:
        raise ParetoServeError(f"--max-instances {most} is less than --instances {least}; give at least as many.")
    if instance_type.startswith("ml.t2."):
        raise ParetoServeError(
            f"SageMaker does not scale {instance_type}; give another instance type, e.g. ml.m5.large."
        )


def check_weights(weights: Sequence[float], candidates: int) -> None:
    if len(weights) != candidates:
        raise ParetoServeError(f"--weights has {len(weights)} numbers for {candidates} candidates; give one for each.")
    if not all(math.isfinite(one) and one >= 0 for one in weights) or not any(weights):
        raise ParetoServeError("Weights must be numbers from 0, and not all of them 0; give e.g. 9,1.")


def check_environment(environment: Mapping[str, str]) -> None:
    """Never repeats a value, which may be secret."""
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name):
            raise ParetoServeError(f"--env {name!r} is no name of a variable; give NAME=VALUE.")
        if len(value) > _MOST_VALUE:
            raise ParetoServeError(f"--env {name} has {len(value)} characters; SageMaker takes up to {_MOST_VALUE}.")
    if len(environment) > _MOST_VARIABLES:
        raise ParetoServeError(f"{len(environment)} variables are too many; SageMaker takes up to {_MOST_VARIABLES}.")


def check_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        if not 0 < len(key) <= 128 or len(value) > 256 or not (_TAG.fullmatch(key) and _TAG.fullmatch(value)):
            raise ParetoServeError(
                f"--tag {key!r} is no tag of AWS; give KEY=VALUE of up to 128 and 256 letters, digits, spaces and "
                "_.:/=+-@."
            )
        if key.lower().startswith(("aws:", TAG_PREFIX)):
            raise ParetoServeError(
                f"--tag {key!r} begins as only tags of AWS and of ParetoServe do; call it otherwise."
            )
    if len(tags) > _MOST_TAGS:
        raise ParetoServeError(f"{len(tags)} tags are too many; give up to {_MOST_TAGS}.")
