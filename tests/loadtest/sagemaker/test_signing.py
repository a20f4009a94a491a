from pathlib import Path

import pytest

from loadtest.results.errors import LoadTestError
from loadtest.sagemaker import signing
from loadtest.sagemaker.signing import KEPT_S, SignedHeaders, host_of
from tests.loadtest.sagemaker.verifying import REGION, credentials, is_signed

URL = "http://127.0.0.1:8081/endpoints/local/invocations"
PATH = "/endpoints/local/invocations"


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_each_body_has_a_signature_of_its_own_that_holds() -> None:
    with credentials():
        signed = SignedHeaders(URL, {"X-Amzn-SageMaker-Target-Variant": "int8"}, [b"one", b"two"], REGION)
        headers = [_lower(signed.of(number)) for number in (0, 1)]
    assert is_signed(PATH, headers[0], b"one")
    assert is_signed(PATH, headers[1], b"two")
    assert not is_signed(PATH, headers[0], b"two")
    assert not is_signed(PATH, headers[0] | {"x-amzn-sagemaker-target-variant": "dense"}, b"one")


def test_a_signature_is_kept_for_a_minute_and_then_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr("loadtest.sagemaker.signing.time.monotonic", lambda: now_s)
    with credentials():
        signed = SignedHeaders(URL, {}, [b"one"], REGION)
        first = signed.of(0)
        now_s += KEPT_S - 1
        assert signed.of(0) is first
        now_s += 1
        assert signed.of(0) is not first


def test_without_credentials_the_error_says_how_to_have_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / "none"))
    with pytest.raises(LoadTestError, match="AWS_ACCESS_KEY_ID"):
        SignedHeaders(URL, {}, [b"one"], REGION)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://runtime.sagemaker.us-east-1.amazonaws.com:443/x", "runtime.sagemaker.us-east-1.amazonaws.com"),
        ("http://127.0.0.1:8081/x", "127.0.0.1:8081"),
        ("http://[::1]:8081/x", "[::1]:8081"),
        ("http://host/x", "host"),
    ],
)
def test_a_host_has_the_port_that_is_not_the_usual_one(url: str, host: str) -> None:
    assert host_of(url) == host


def test_nothing_prints_the_credentials() -> None:
    with credentials():
        signed = SignedHeaders(URL, {}, [b"one"], REGION)
    assert "SECRET" not in repr(signed)
    assert signing.SERVICE == "sagemaker"
