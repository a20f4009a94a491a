"""AWS's side of a signature: made anew from a request as it came, and compared."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

KEY, SECRET, TOKEN, REGION = "AKIDEXAMPLE", "SECRET-KEY-OF-THE-TEST", "TOKEN-OF-THE-TEST", "eu-west-3"

_AUTHORIZATION = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={KEY}/\d{{8}}/{REGION}/sagemaker/aws4_request, "
    r"SignedHeaders=(?P<names>[\w;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def is_signed(path: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a POST came as it was signed; `headers` have names in lower case."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found or headers.get("x-amz-security-token") != TOKEN:
        return False
    names = found["names"].split(";")
    if not {"host", "x-amz-date", "x-amz-security-token"} <= set(names):
        return False
    signer = SigV4Auth(ReadOnlyCredentials(KEY, SECRET, TOKEN), "sagemaker", REGION)
    url = f"http://{headers['host']}{path}"
    request = AWSRequest("POST", url, {name: headers[name] for name in names}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    made = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return bool(made == found["signature"])


@contextmanager
def credentials() -> Iterator[pytest.MonkeyPatch]:
    """An environment with these credentials and this region."""
    with pytest.MonkeyPatch.context() as patch:
        told = {"ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET, "SESSION_TOKEN": TOKEN, "DEFAULT_REGION": REGION}
        for name, value in told.items():
            patch.setenv(f"AWS_{name}", value)
        yield patch
