"""What asynchronous invocations read from S3 and write to it. The one file of the emulator that needs boto3."""

from typing import TYPE_CHECKING

from model_store.errors import EnvironmentUnavailable, ParetoServeError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# SageMaker takes 1 GB; here all that is under way is held in memory.
MAX_INPUT_BYTES = 64 * 1024 * 1024


def s3_client() -> "S3Client":
    """A client as the environment says (AWS_ENDPOINT_URL_S3, AWS_REGION, credentials).

    Raises:
        EnvironmentUnavailable: there is no boto3, or it finds no region.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as exc:
        raise EnvironmentUnavailable(
            "Asynchronous invocations need boto3 for S3; run: pip install 'paretoserve[sagemaker]'."
        ) from exc
    try:
        client: S3Client = boto3.client("s3")
    except BotoCoreError as exc:
        raise EnvironmentUnavailable(f"boto3 cannot reach S3 ({exc}); set AWS_REGION and the credentials.") from exc
    return client


def read_object(s3: "S3Client", location: str) -> bytes:
    """The bytes at `s3://BUCKET/KEY`; raises ParetoServeError where they cannot be had. Blocks."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = split_location(location)
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
        if found["ContentLength"] > MAX_INPUT_BYTES:
            raise ParetoServeError(f"The input at {location} is over the limit of {MAX_INPUT_BYTES} bytes.")
        return found["Body"].read()
    except (BotoCoreError, ClientError) as exc:
        raise ParetoServeError(f"The input at {location} cannot be read ({exc}).") from exc


def write_object(s3: "S3Client", location: str, body: bytes, content_type: str) -> None:
    """Write an object; raises ParetoServeError where it cannot be written. Blocks."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = split_location(location)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)
    except (BotoCoreError, ClientError) as exc:
        raise ParetoServeError(f"{location} cannot be written ({exc}).") from exc


def split_location(location: str) -> tuple[str, str]:
    """Bucket and key of `s3://BUCKET/KEY`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key
