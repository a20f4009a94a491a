"""Where SageMaker's runtime is, as boto3 finds it."""

from typing import NamedTuple

from loadtest.results.errors import LoadTestError


class Address(NamedTuple):
    url: str
    region: str


def runtime_address() -> Address:
    """From AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME, AWS_REGION, profiles and all else that botocore looks at.

    Raises:
        LoadTestError: there is no botocore, or it finds no region.
    """
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ImportError as exc:
        raise LoadTestError("Endpoints of SageMaker need boto3; run: pip install 'paretoserve[sagemaker]'.") from exc
    try:
        session = botocore.session.get_session()
        client = session.create_client("sagemaker-runtime")
        return Address(client.meta.endpoint_url, client.meta.region_name)
    except BotoCoreError as exc:
        raise LoadTestError(f"SageMaker's runtime cannot be found ({exc}); set AWS_DEFAULT_REGION.") from exc
