"""The errors of SageMaker's runtime, as boto3 reads them: a status, a name in a header, a JSON object.

boto3 takes the name from `x-amzn-errortype`, and what it does then follows from both: it tries again after 429, 500,
503 and a throttling exception, and never after 424.
"""

from dataclasses import dataclass

import msgspec

from paretoserve.sagemaker.emulator.description import Endpoint

# The longest `Message` and `OriginalMessage`, characters, by botocore's model of the service.
_LONGEST_MESSAGE = 2048


@dataclass(slots=True)
class PlatformError(Exception):
    """An invocation that is not answered by its model. `body` is a JSON object without a numeric `code`."""

    status: int
    name: str
    body: bytes


def throttled() -> PlatformError:
    """Above the endpoint's concurrency. The message is null there, too."""
    return PlatformError(400, "ThrottlingException", b'{"message":null}')


def validation_error(message: str) -> PlatformError:
    """The request is none that this endpoint takes."""
    return PlatformError(400, "ValidationError", msgspec.json.encode({"message": message}))


def endpoint_not_found(name: str, endpoint: Endpoint, why: str = "") -> PlatformError:
    return validation_error(f"Endpoint {name} of account {endpoint.account} not found.{why and ' '}{why}")


def model_not_ready(message: str) -> PlatformError:
    return PlatformError(429, "ModelNotReadyException", msgspec.json.encode({"Message": message}))


def service_unavailable(message: str) -> PlatformError:
    """The platform itself cannot answer; never for what a container does."""
    return PlatformError(503, "ServiceUnavailable", msgspec.json.encode({"Message": message}))


def internal_failure() -> PlatformError:
    message = "The emulator failed; its log has the details."
    return PlatformError(500, "InternalFailure", msgspec.json.encode({"Message": message}))


def model_error(endpoint: Endpoint, status: int, original: str) -> PlatformError:
    """The container answered an error, or nothing that can be used: `status` is 0 then."""
    fault = "client" if 400 <= status < 500 else "server"
    original = original[:_LONGEST_MESSAGE]
    group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
    message = f'Received {fault} error ({status}) from primary with message "{original}". See log group {group}'
    told = {
        "ErrorCode": f"{fault.upper()}_ERROR_FROM_MODEL",
        "LogStreamArn": endpoint.log_stream_arn,
        "Message": f"{message[: _LONGEST_MESSAGE - 1]}.",
        "OriginalMessage": original,
        "OriginalStatusCode": status,
    }
    return PlatformError(424, "ModelError", msgspec.json.encode(told))


def timed_out(endpoint: Endpoint, seconds: float) -> PlatformError:
    text = "Your invocation timed out while waiting for a response from container primary."
    return model_error(endpoint, 0, f"{text} It may take {seconds:g} s.")


def no_answer(endpoint: Endpoint) -> PlatformError:
    return model_error(endpoint, 0, f"Amazon SageMaker could not get a response from the {endpoint.name} endpoint.")
