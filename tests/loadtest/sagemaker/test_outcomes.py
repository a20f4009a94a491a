import json

import pytest

from loadtest.sagemaker.outcomes import is_rejected


def _model_error(status: object) -> bytes:
    return json.dumps({"OriginalStatusCode": status, "Message": "no"}).encode()


@pytest.mark.parametrize(
    ("status", "error_type", "body", "rejected"),
    [
        (200, "", b"{}", False),
        (424, "ModelError", _model_error(429), True),
        (424, "ModelError", _model_error(503), True),
        (424, "ModelError", _model_error(500), False),
        (424, "ModelError", _model_error(0), False),
        (424, "", b"not json", False),
        (400, "ThrottlingException", b'{"message":null}', True),
        (400, "aws#ThrottlingException:http://internal.amazon.com/coral/", b"", True),
        (400, "", b'{"__type":"com.amazon.coral#ThrottlingException"}', True),
        (429, "ThrottlingException", b'{"message":"Rate exceeded"}', True),
        (429, "ModelNotReadyException", b'{"Message":"loading"}', False),
        (400, "ValidationError", b'{"message":"no"}', False),
        (503, "ServiceUnavailable", b'{"message":"no"}', False),
        (502, "", b"<html>\xff</html>", False),
        (500, "", b'["a list"]', False),
    ],
)
def test_an_error_of_the_platform_is_read_as_it_means_it(
    status: int, error_type: str, body: bytes, rejected: bool
) -> None:
    assert is_rejected(status, error_type, body) == rejected
