from pathlib import Path

import pytest

from loadtest.results.errors import LoadTestError
from loadtest.sagemaker.address import Address, runtime_address
from tests.loadtest.sagemaker.verifying import REGION, credentials


def test_the_address_is_that_of_the_region() -> None:
    with credentials():
        assert runtime_address() == Address(f"https://runtime.sagemaker.{REGION}.amazonaws.com", REGION)


def test_the_environment_names_another_one() -> None:
    with credentials() as environment:
        environment.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://127.0.0.1:8081")
        assert runtime_address() == Address("http://127.0.0.1:8081", REGION)


def test_without_a_region_the_error_says_how_to_have_one(tmp_path: Path) -> None:
    with credentials() as environment:
        environment.delenv("AWS_DEFAULT_REGION")
        for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
            environment.setenv(f"AWS_{name}", str(tmp_path / "none"))
        with pytest.raises(LoadTestError, match="AWS_DEFAULT_REGION"):
            runtime_address()
