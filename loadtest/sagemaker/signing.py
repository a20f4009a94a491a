"""Requests signed with AWS Signature Version 4, by botocore's own signer, a minute ahead where that can be.

A signature is of the moment, the body and the headers, not of the user, and SageMaker takes it for five minutes. So
each body's is kept for a minute, and a campaign signs once a minute and body. It is made just before a request is sent,
in the time that counts from when the request was due.

Source: AWS, "Create a signed AWS API request".
"""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from loadtest.results.errors import LoadTestError

if TYPE_CHECKING:
    from botocore.credentials import Credentials

SERVICE = "sagemaker"
KEPT_S = 60.0


class SignedHeaders:
    """The headers of requests to one address, by the number of their body.

    Credentials are those of this process's environment, in botocore's usual order. They are read here and kept nowhere
    else: not in the settings of a campaign, not in its files.

    Raises:
        LoadTestError: there is no botocore, or it finds no credentials.
    """

    def __init__(self, url: str, headers: Mapping[str, str], bodies: Sequence[bytes], region: str) -> None:
        self._url, self._headers, self._bodies, self._region = url, headers, bodies, region
        self._credentials = _credentials()
        self._kept: dict[int, tuple[float, dict[str, str]]] = {}

    def of(self, number: int) -> dict[str, str]:
        """All headers for a body but its length, `Host` among them."""
        signed_s, headers = self._kept.get(number, (-KEPT_S, {}))
        now_s = time.monotonic()
        if now_s - signed_s >= KEPT_S or not headers:
            headers = self._signed(self._bodies[number])
            self._kept[number] = now_s, headers
        return headers

    def _signed(self, body: bytes) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        headers = {"Content-Type": "application/json", **self._headers, "Host": host_of(self._url)}
        request = AWSRequest("POST", self._url, headers, body)
        SigV4Auth(self._credentials.get_frozen_credentials(), SERVICE, self._region).add_auth(request)
        return dict(request.headers.items())


def host_of(url: str) -> str:
    """`Host` for a URL: with the port where it is not the scheme's own."""
    address = urlsplit(url)
    name = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname or ""
    usual = {"http": 80, "https": 443}[address.scheme]
    return name if address.port in (None, usual) else f"{name}:{address.port}"


def _credentials() -> "Credentials":
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ImportError as exc:
        raise LoadTestError("Endpoints of SageMaker need boto3; run: pip install 'paretoserve[sagemaker]'.") from exc
    try:
        found = botocore.session.get_session().get_credentials()
    except BotoCoreError as exc:
        raise LoadTestError(f"The credentials of AWS cannot be read ({exc}).") from exc
    if found is None:
        raise LoadTestError(
            "There are no credentials of AWS to sign requests with; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY. The emulator takes any."
        )
    return found
