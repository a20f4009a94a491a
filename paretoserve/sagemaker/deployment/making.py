"""Makes an endpoint. If anything fails on the way, what was made until then is removed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.aws import Aws, DeploymentError, Sent
from paretoserve.sagemaker.deployment.calls import Call, Step, Upload
from paretoserve.sagemaker.deployment.plan import Plan, describe_endpoint
from paretoserve.terminal.progress import Progress

IN_SERVICE = "InService"
# Of an endpoint that will not come into service by waiting.
_BROKEN = ("Failed", "OutOfService", "UpdateRollbackFailed", "Deleting")

# Of the whole; the rest is the wait for instances.
_SHARE_OF_CALLS = 0.4


@dataclass(frozen=True, slots=True)
class Patience:
    """How often AWS is asked how far it is, and how long."""

    poll_s: float = 15.0
    timeout_s: float = 1800.0


PATIENCE = Patience()


def make(aws: Aws, plan: Plan, report: Progress, patience: Patience = PATIENCE) -> None:
    """Make all that is planned, and wait until the endpoint is in service.

    Raises:
        DeploymentError: something of the names is there, or AWS refused a call. What was made was removed, or the
            message says what could not be.
    """
    for call in plan.absent:
        _check_absent(aws, call)
    made: list[Step] = []
    try:
        for i, step in enumerate(plan.steps):
            _carry_out(aws, step, made, report, _SHARE_OF_CALLS * i / len(plan.steps))
        wait_until_in_service(
            aws,
            plan.endpoint,
            lambda words, share: report(words, _SHARE_OF_CALLS + (1 - _SHARE_OF_CALLS) * share),
            patience,
        )
        for step in plan.scaling:
            _carry_out(aws, step, made, report, 1.0)
    except KeyboardInterrupt as exc:
        raise DeploymentError(f"Stopped. {removed(aws, made)}") from exc
    except ParetoServeError as exc:
        raise DeploymentError(f"{exc} {removed(aws, made)}") from exc


def _check_absent(aws: Aws, call: Call) -> None:
    try:
        aws.do(call)
    except DeploymentError as exc:
        if exc.is_missing:
            return
        raise
    (name,) = call.arguments.values()
    kind = call.operation.removeprefix("Describe")
    raise DeploymentError(
        f"{kind} {name!r} exists in {aws.region} already; choose another name for the endpoint, or remove what is "
        "there with: paretoserve deploy delete ENDPOINT."
    )


def _carry_out(aws: Aws, step: Step, made: list[Step], report: Progress, done: float) -> None:
    """`made` gets the step as soon as there may be something to remove."""
    report(step.what, done)
    try:
        aws.do(step.call, _sent(step, report, done))
    except KeyboardInterrupt:
        made.append(step)
        raise
    except DeploymentError as exc:
        if exc.may_be_done:
            made.append(step)
        raise
    made.append(step)


def _sent(step: Step, report: Progress, done: float) -> Sent:
    sizes = [one.path.stat().st_size for one in step.call.arguments.values() if isinstance(one, Upload)]
    return lambda share: report(f"{step.what}, {share:.0%} of {sum(sizes) / 1e6:.0f} MB", done)


def removed(aws: Aws, made: Sequence[Step]) -> str:
    """Take back the steps, the last one first; a sentence about how that went.

    Where the endpoint stays, so does what was made before it, which it uses.
    """
    left, reasons = [], []
    waiting = [step for step in made if step.undo]
    while waiting:
        step = waiting.pop()
        assert step.undo is not None, "this is a bug: others were left out"
        try:
            aws.do(step.undo)
        except DeploymentError as exc:
            if exc.is_missing:
                continue
            left.append(step.what)
            reasons.append(str(exc))
            if step.undo.operation == "DeleteEndpoint":
                left += [one.what for one in reversed(waiting)]
                break
    if not left:
        return "What had been made was removed."
    # An archive alone is known by no model any more.
    by_command = not all(one.startswith("archive ") for one in left)
    later = " Remove it later with: paretoserve deploy delete ENDPOINT." if by_command else ""
    return f"Not removed: {', '.join(left)}. {reasons[0]}{later}"


def wait_until_in_service(aws: Aws, endpoint: str, report: Progress, patience: Patience = PATIENCE) -> dict[str, Any]:
    """Ask until the endpoint is in service; what it then says of itself.

    Raises:
        DeploymentError: it failed, or is still on its way when the time is up.
    """
    since_s = time.monotonic()
    while True:
        found = aws.do(describe_endpoint(endpoint))
        status = found["EndpointStatus"]
        if status == IN_SERVICE:
            return found
        if status in _BROKEN:
            reason = found.get("FailureReason") or "AWS gives no reason"
            raise DeploymentError(f"Endpoint {endpoint!r} is {status}: {reason.rstrip('.')}.")
        if time.monotonic() - since_s >= patience.timeout_s:
            raise DeploymentError(
                f"Endpoint {endpoint!r} is still {status} after {patience.timeout_s / 60:.0f} minutes; look again "
                f"with: paretoserve deploy status {endpoint} --wait."
            )
        running, wanted = instances_of(found)
        report(f"{status}, {running} of {wanted} instances", running / max(1, wanted))
        time.sleep(patience.poll_s)


def instances_of(found: dict[str, Any]) -> tuple[int, int]:
    """How many instances run, and how many are to, by the description of an endpoint."""
    variants = [*found.get("ProductionVariants", ()), *found.get("ShadowProductionVariants", ())]
    return (
        sum(one.get("CurrentInstanceCount", 0) for one in variants),
        sum(one.get("DesiredInstanceCount", 0) for one in variants),
    )
