"""`paretoserve deploy`: endpoints of SageMaker."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paretoserve.terminal.progress import console, progress

if TYPE_CHECKING:
    from paretoserve.sagemaker.deployment.aws import Aws
    from paretoserve.sagemaker.deployment.plan import Deployment

deploy = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Endpoints of SageMaker: make one of packaged variants, watch it, shift its requests, remove it.\n\n"
    "Credentials, region and retries are those of boto3: AWS_PROFILE, AWS_DEFAULT_REGION, AWS_MAX_ATTEMPTS. All "
    "that is made has the tag paretoserve:endpoint, and only that is removed.",
)

Endpoint = Annotated[str, typer.Argument(help="Name of the endpoint.")]
Region = Annotated[str | None, typer.Option(help="Region of AWS; that of the environment or the profile by default.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Only print the calls as JSON; needs neither credentials nor a network."),
]
Timeout = Annotated[float, typer.Option(min=0.1, help="Longest wait for the endpoint, minutes.")]

Candidates = Annotated[
    list[str],
    typer.Argument(
        help="Variant with its engine, store/sst2/int8@openvino, or its archive, int8.tar.gz@openvino; several share "
        "the requests."
    ),
]
Image = Annotated[
    str, typer.Option(help="Image in ECR; {backend} in it is the engine of each candidate: …/paretoserve:{backend}.")
]
Role = Annotated[str, typer.Option(help="ARN of the role that SageMaker takes to read archive and image.")]
Bucket = Annotated[str, typer.Option(help="S3 bucket for the archives, in the same region.")]
InstanceType = Annotated[str, typer.Option(help="Instance type, e.g. ml.c5.xlarge.")]
Instances = Annotated[int, typer.Option(min=1, help="Instances of each candidate; the least, where they scale.")]
Weights = Annotated[
    str | None, typer.Option(help="Shares of the requests, in the order of the candidates: 9,1. Equal by default.")
]
Shadow = Annotated[
    str | None,
    typer.Option(help="Candidate that gets copies of requests, whose answers nobody sees; beside one other."),
]
ShadowShare = Annotated[float, typer.Option(min=0.01, max=1.0, help="Share of the requests that are copied to it.")]
Autoscale = Annotated[
    Path | None,
    typer.Option(
        help="Folder of a report. Each instance is to get half of what the candidate held there; instances are added "
        "and taken away for it."
    ),
]
MaxInstances = Annotated[int | None, typer.Option(min=1, help="Most instances of each candidate, with --autoscale.")]
Env = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Setting of the server, PARETOSERVE_MAX_QUEUE=64; may be repeated."),
]
Tag = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Tag of all that is made, team=search; may be repeated.")
]


@deploy.command()
def create(
    endpoint: Endpoint,
    candidate: Candidates,
    image: Image,
    role: Role,
    bucket: Bucket,
    instance_type: InstanceType,
    instances: Instances = 1,
    weights: Weights = None,
    shadow: Shadow = None,
    shadow_share: ShadowShare = 1.0,
    autoscale: Autoscale = None,
    max_instances: MaxInstances = None,
    env: Env = None,
    tag: Tag = None,
    region: Region = None,
    timeout: Timeout = 30.0,
    dry_run: DryRun = False,
) -> None:
    """Upload candidates and make an endpoint of them, with autoscaling from a campaign's measured threshold.

    Everything is checked before the first call. If a call fails, what was made until then is removed.
    """
    from paretoserve.sagemaker.deployment.asked import Asked, assignments, deployment_of

    asked = Asked(
        endpoint=endpoint,
        candidates=tuple(candidate),
        image=image,
        role=role,
        bucket=bucket,
        instance_type=instance_type,
        instances=instances,
        weights=weights,
        shadow=shadow,
        shadow_share=shadow_share,
        autoscale=autoscale,
        max_instances=max_instances,
        environment=assignments(env, "--env"),
        tags=assignments(tag, "--tag"),
        region=region,
    )
    with tempfile.TemporaryDirectory(prefix="paretoserve-") as work:
        _create(deployment_of(asked, Path(work)), region, timeout, dry_run)


def _create(wanted: "Deployment", region: str | None, timeout_min: float, dry_run: bool) -> None:
    from paretoserve.sagemaker.deployment.calls import as_json
    from paretoserve.sagemaker.deployment.checks import check_region
    from paretoserve.sagemaker.deployment.making import Patience, make
    from paretoserve.sagemaker.deployment.plan import plan_of

    plan = plan_of(wanted)
    if dry_run:
        _print(as_json(plan.calls))
        return
    aws = _connected(wanted.endpoint, region)
    check_region(aws.region, [one.image for one in wanted.all_variants])
    for one in wanted.variants:
        if one.scaling:
            _print(f"{one.name}: {one.scaling}")
    with progress(f"Endpoint {wanted.endpoint}") as report:
        make(aws, plan, report, Patience(timeout_s=60 * timeout_min))
    _show(aws, wanted.endpoint)


@deploy.command()
def status(
    endpoint: Endpoint,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is in service, with a progress bar.")] = False,
    region: Region = None,
    timeout: Timeout = 30.0,
) -> None:
    """Show the state of an endpoint: its variants with their weights and instances, and what it scales by."""
    from paretoserve.sagemaker.deployment.making import Patience, wait_until_in_service
    from paretoserve.sagemaker.deployment.status import described

    aws = _connected(endpoint, region)
    described(aws, endpoint)
    if wait:
        with progress(f"Endpoint {endpoint}") as report:
            wait_until_in_service(aws, endpoint, report, Patience(timeout_s=60 * timeout))
    _show(aws, endpoint)


@deploy.command()
def weights(
    endpoint: Endpoint,
    weight: Annotated[list[str], typer.Argument(metavar="VARIANT=WEIGHT", help="E.g. int8=9 dense=1.")],
    region: Region = None,
    timeout: Timeout = 30.0,
    dry_run: DryRun = False,
) -> None:
    """Shift the requests of an endpoint between its variants, for an A/B test. Variants not named keep their weight."""
    from paretoserve.sagemaker.deployment.calls import as_json
    from paretoserve.sagemaker.deployment.checks import check_name
    from paretoserve.sagemaker.deployment.making import Patience
    from paretoserve.sagemaker.deployment.plan import describe_endpoint
    from paretoserve.sagemaker.deployment.weights import parse_weights, set_weights, weights_call

    asked = parse_weights(weight)
    check_name(endpoint, "The endpoint")
    if dry_run:
        wait = describe_endpoint(endpoint)
        _print(as_json([wait, weights_call(endpoint, asked), wait]))
        return
    aws = _connected(endpoint, region)
    with progress(f"Endpoint {endpoint}") as report:
        set_weights(aws, endpoint, asked, report, Patience(timeout_s=60 * timeout))
    _show(aws, endpoint)


@deploy.command()
def delete(
    endpoint: Endpoint,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    region: Region = None,
    timeout: Timeout = 30.0,
) -> None:
    """Remove an endpoint with all that deploy made for it: scaling, configuration, models, archives.

    They are known by their tags. What is to go is shown first, and gone only after a yes.
    """
    from paretoserve.sagemaker.deployment.making import Patience
    from paretoserve.sagemaker.deployment.removing import found_of, remove

    aws = _connected(endpoint, region)
    found = found_of(aws, endpoint)
    for step in found:
        _print(step.what)
    if not yes:
        typer.confirm(f"Remove these from {aws.region}?", abort=True)
    with progress("Removing") as report:
        remove(aws, found, report, Patience(timeout_s=60 * timeout))


def _connected(endpoint: str, region: str | None) -> "Aws":
    from paretoserve.sagemaker.deployment.aws import connect
    from paretoserve.sagemaker.deployment.checks import check_name, check_region

    check_name(endpoint, "The endpoint")
    check_region(region)
    return connect(region)


def _show(aws: "Aws", endpoint: str) -> None:
    from paretoserve.sagemaker.deployment.status import described, status_lines, variants_table

    found = described(aws, endpoint)
    for line in status_lines(aws, found):
        _print(line)
    console.print(variants_table(aws, found))


def _print(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
