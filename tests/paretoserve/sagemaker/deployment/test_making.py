"""Endpoints are made whole or not at all: each call fails once."""

from pathlib import Path

import pytest

from model_store.errors import ParetoServeError
from model_store.unpacking import unpack_tarball
from paretoserve.sagemaker.deployment.aws import DeploymentError
from paretoserve.sagemaker.deployment.making import Patience, make, wait_until_in_service
from paretoserve.sagemaker.deployment.plan import Plan
from tests.paretoserve.sagemaker.deployment.account import (
    BUCKET,
    QUICK,
    ROLE,
    Account,
    client,
    no_answer,
    our_aws,
    planned,
    quiet,
    refusal,
    report_for,
)

NOTHING: dict[str, list[str]] = {"models": [], "configurations": [], "endpoints": [], "targets": [], "archives": []}
# Of two candidates that scale: what must not be there, and all calls.
CHECKS, CALLS = 4, 15


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    report = report_for(tmp_path / "run", "int8@python", "dense@python")
    return planned(tmp_path, "int8", "dense", weights="9,1", autoscale=report, max_instances=4)


def test_all_that_is_planned_is_made(account: Account, plan: Plan) -> None:
    make(our_aws(), plan, quiet, QUICK)
    assert account.asked == [call.operation for call in plan.calls]
    assert len(account.asked) == CALLS
    held = account.holds()
    assert held["models"] == ["sst2-int8", "sst2-dense"]
    assert (held["configurations"], held["endpoints"]) == (["sst2"], ["sst2"])
    assert held["targets"] == ["endpoint/sst2/variant/int8", "endpoint/sst2/variant/dense"]


def test_the_archive_in_s3_is_what_the_model_names_and_can_be_unpacked(
    account: Account, plan: Plan, tmp_path: Path
) -> None:
    make(our_aws(), plan, quiet, QUICK)
    model = client("sagemaker").describe_model(ModelName="sst2-int8")
    bucket, _, key = model["PrimaryContainer"]["ModelDataUrl"].removeprefix("s3://").partition("/")
    content = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    tags = client("sagemaker").list_tags(ResourceArn=model["ModelArn"])["Tags"]
    sha256 = {tag["Key"]: tag["Value"] for tag in tags}["paretoserve:sha256"]
    (tmp_path / "fetched.tar.gz").write_bytes(content)
    unpack_tarball(tmp_path / "fetched.tar.gz", tmp_path / "model", sha256=sha256)
    assert (tmp_path / "model" / "code" / "inference.py").is_file()


@pytest.mark.parametrize("how", ["refused", "unanswered", "stopped"])
def test_whatever_fails_nothing_remains(account: Account, plan: Plan, how: str) -> None:
    errors = {"refused": refusal("X"), "unanswered": no_answer(), "stopped": KeyboardInterrupt()}
    aws = our_aws()
    for place in range(CALLS):
        account.asked.clear()
        account.fails_at = place, errors[how]
        with pytest.raises((DeploymentError, KeyboardInterrupt)) as caught:
            make(aws, plan, quiet, QUICK)
        assert account.holds() == NOTHING, place
        assert place < CHECKS or str(caught.value).endswith("What had been made was removed."), place


def test_what_was_made_though_no_answer_came_is_removed(
    account: Account, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = Account.called

    def done_without_an_answer(self: Account, operation: str, answer: object) -> object:
        answered = called(self, operation, answer)  # type: ignore[arg-type]
        if operation == "CreateEndpointConfig":
            raise no_answer()
        return answered

    monkeypatch.setattr(Account, "called", done_without_an_answer)
    with pytest.raises(DeploymentError, match=r"AWS gave no answer to CreateEndpointConfig: .*was removed\.$"):
        make(our_aws(), plan, quiet, QUICK)
    assert account.holds() == NOTHING


def test_what_another_made_meanwhile_is_left_to_them(account: Account, plan: Plan) -> None:
    client("sagemaker").create_model(ModelName="sst2-dense", ExecutionRoleArn=ROLE)
    missing = refusal("DescribeModel", "ValidationException", "Could not find model")
    account.answers["DescribeModel"] = [missing, missing]
    account.answers["CreateModel"] = [{}, refusal("CreateModel", "ValidationException", "Cannot create existing model")]
    with pytest.raises(DeploymentError, match=r"AWS refused CreateModel .*existing model\. What had been made"):
        make(our_aws(), plan, quiet, QUICK)
    assert account.holds() == {**NOTHING, "models": ["sst2-dense"]}


@pytest.mark.parametrize("kind", ["endpoint", "configuration", "model"])
def test_what_is_there_already_is_refused_and_stays(account: Account, plan: Plan, kind: str) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model(ModelName="sst2-int8", ExecutionRoleArn=ROLE)
    one = {"VariantName": "a", "ModelName": "sst2-int8", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    name = "sst2" if kind != "endpoint" else "other"
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[one])
    if kind == "endpoint":
        sagemaker.create_endpoint(EndpointName="sst2", EndpointConfigName="other")
    if kind == "model":
        sagemaker.delete_endpoint_config(EndpointConfigName=name)
    before = account.holds()
    with pytest.raises(DeploymentError, match=r"'sst2(-int8)?' exists in eu-west-1 already; choose another name"):
        make(our_aws(), plan, quiet, QUICK)
    assert account.holds() == before


def test_an_endpoint_that_fails_is_told_with_its_reason_and_removed(account: Account, plan: Plan) -> None:
    failed = {"EndpointStatus": "Failed", "FailureReason": "The container did not pass the ping health check."}
    account.answers["DescribeEndpoint"] = [{}, {"EndpointStatus": "Creating"}, failed]
    with pytest.raises(
        DeploymentError, match=r"'sst2' is Failed: The container .* check\. What had been made was removed"
    ):
        make(our_aws(), plan, quiet, QUICK)
    assert account.holds() == NOTHING


def test_an_endpoint_that_cannot_be_removed_keeps_what_it_uses_and_that_is_told(account: Account, plan: Plan) -> None:
    account.answers["DescribeEndpoint"] = [{}, {"EndpointStatus": "Creating"}]
    account.answers["DeleteEndpoint"] = [refusal("DeleteEndpoint", "ValidationException", "Cannot update in-progress")]
    with pytest.raises(DeploymentError) as caught:
        make(our_aws(), plan, quiet, Patience(poll_s=0.0, timeout_s=0.0))
    told = str(caught.value)
    assert "still Creating after 0 minutes" in told
    assert "Not removed: endpoint 'sst2', configuration 'sst2', model 'sst2-dense', archive s3://my-models/" in told
    assert ". AWS refused DeleteEndpoint (ValidationException): Cannot update in-progress. Remove it later" in told
    held = account.holds()
    assert (held["endpoints"], held["configurations"], len(held["models"])) == (["sst2"], ["sst2"], 2)


def test_where_one_thing_cannot_be_removed_the_others_are(account: Account, plan: Plan) -> None:
    account.answers["CreateEndpoint"] = [refusal("CreateEndpoint")]
    account.answers["DeleteObject"] = [refusal("DeleteObject", "AccessDenied")]
    with pytest.raises(
        DeploymentError, match=r"Not removed: archive s3://\S+dense-\w+\.tar\.gz\. AWS refused Del.*\.$"
    ):
        make(our_aws(), plan, quiet, QUICK)
    (archive,) = account.holds()["archives"]
    assert account.holds() == {**NOTHING, "archives": [archive]}


def test_the_wait_tells_how_many_instances_run(account: Account, plan: Plan) -> None:
    make(our_aws(), plan, quiet, QUICK)
    on_the_way = {
        "EndpointStatus": "Creating",
        "ProductionVariants": [
            {"VariantName": "a", "CurrentInstanceCount": 1, "DesiredInstanceCount": 2},
            {"VariantName": "b", "DesiredInstanceCount": 2},
        ],
    }
    account.answers["DescribeEndpoint"] = [{"EndpointStatus": "Creating", "ProductionVariants": []}, on_the_way]
    told: list[tuple[str, float]] = []
    wait_until_in_service(our_aws(), "sst2", lambda words, share: told.append((words, share)), QUICK)
    assert told == [("Creating, 0 of 0 instances", 0.0), ("Creating, 1 of 4 instances", 0.25)]


def test_progress_goes_forward_and_counts_the_bytes_of_uploads(account: Account, plan: Plan) -> None:
    told: list[tuple[str, float]] = []
    make(our_aws(), plan, lambda words, share: told.append((words, share)), QUICK)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert any("100% of 0 MB" in words for words, _ in told)


def test_a_bucket_that_is_none_is_told_as_aws_says_it(account: Account, tmp_path: Path) -> None:
    with pytest.raises(ParetoServeError, match=r"AWS refused PutObject \(NoSuchBucket\): .*does not exist"):
        make(our_aws(), planned(tmp_path, bucket=f"{BUCKET}-2"), quiet, QUICK)
