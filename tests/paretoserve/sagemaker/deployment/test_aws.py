"""AWS is asked as boto3 is configured, and what it says is told in a sentence."""

import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from docs.generate import DOCS
from model_store.errors import EnvironmentUnavailable, ParetoServeError
from paretoserve.sagemaker.deployment.aws import DeploymentError, connect
from paretoserve.sagemaker.deployment.calls import Call
from paretoserve.sagemaker.deployment.plan import describe_endpoint
from tests.paretoserve.sagemaker.deployment.account import REGION, Account, environment, no_answer, our_aws, refusal


def test_the_region_is_that_of_the_usual_chain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment(monkeypatch)
    assert connect().region == REGION
    assert connect("us-east-1").region == "us-east-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ParetoServeError, match="No region of AWS is known; give --region eu-west-1, or set AWS"):
        connect()
    (tmp_path / "config").write_text("[profile ours]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "ours")
    assert connect().region == "eu-north-1"
    monkeypatch.setenv("AWS_PROFILE", "theirs")
    with pytest.raises(ParetoServeError, match=r"profile \(theirs\) could not be found; correct AWS_PROFILE"):
        connect()


def test_without_credentials_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(DeploymentError, match=r"no answer to DescribeEndpoint: Unable to locate credentials\.$"):
        connect().do(describe_endpoint("sst2"))


def test_an_address_where_nobody_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(DeploymentError, match="Could not connect to the endpoint URL") as caught:
        connect().do(describe_endpoint("sst2"))
    assert caught.value.may_be_done
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    with pytest.raises(DeploymentError, match="Invalid endpoint: nowhere"):
        connect().do(describe_endpoint("sst2"))


def test_retries_are_boto3s_own(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")
    made = connect()
    made.do(Call("sagemaker", "ListEndpoints", {}))
    retries = made._clients["sagemaker"].meta.config.retries
    assert (retries["mode"], retries["total_max_attempts"]) == ("standard", 7)


def test_a_refusal_says_whether_there_is_nothing_and_whether_it_was_repeated(account: Account) -> None:
    with pytest.raises(
        DeploymentError, match=r"AWS refused DescribeEndpoint \(ValidationException\): Could not"
    ) as caught:
        our_aws().do(describe_endpoint("sst2"))
    assert (caught.value.is_missing, caught.value.may_be_done) == (True, False)
    account.answers["DescribeEndpoint"] = [refusal("DescribeEndpoint", retries=1), no_answer()]
    for is_refused in (True, False):
        with pytest.raises(DeploymentError) as caught:
            our_aws().do(describe_endpoint("sst2"))
        assert (caught.value.is_missing, caught.value.may_be_done) == (False, True), is_refused


def test_a_secret_that_aws_repeats_is_not_told(account: Account) -> None:
    container = {"Environment": {"HF_TOKEN": "hush"}}
    account.answers["CreateModel"] = [refusal("CreateModel", message="Value\n'{HF_TOKEN=hush}' is bad.")]
    with pytest.raises(DeploymentError) as caught:
        our_aws().do(Call("sagemaker", "CreateModel", {"ModelName": "a", "PrimaryContainer": container}))
    assert str(caught.value) == "AWS refused CreateModel (AccessDeniedException): Value '{HF_TOKEN=***}' is bad."


def test_where_boto3_is_missing_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert boto3
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(EnvironmentUnavailable, match=r"pip install 'paretoserve\[sagemaker\]'"):
        connect()


def test_nothing_but_a_deployment_imports_boto3() -> None:
    code = "import sys, paretoserve.cli, paretoserve.sagemaker.packaging, paretoserve.sagemaker.deployment.asked\n"
    code += "print('boto3' in sys.modules, 'botocore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=DOCS.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
