"""What deploy made is removed, whole or what is left of it, and nothing that others made."""

from collections.abc import Callable
from pathlib import Path

import pytest

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.aws import DeploymentError
from paretoserve.sagemaker.deployment.making import make
from paretoserve.sagemaker.deployment.removing import found_of, remove
from tests.paretoserve.sagemaker.deployment.account import (
    BUCKET,
    QUICK,
    ROLE,
    Account,
    client,
    our_aws,
    planned,
    quiet,
    refusal,
    report_for,
    variant,
)

NOTHING: dict[str, list[str]] = {"models": [], "configurations": [], "endpoints": [], "targets": [], "archives": []}


@pytest.fixture
def endpoint(account: Account, tmp_path: Path) -> str:
    report = report_for(tmp_path / "run", "int8@python")
    shadow = str(variant(tmp_path, "dense"))
    plan = planned(tmp_path, "int8", shadow=shadow, autoscale=report, max_instances=2)
    make(our_aws(), plan, quiet, QUICK)
    account.asked.clear()
    return "sst2"


def test_all_that_was_made_is_removed_in_an_order_that_aws_takes(account: Account, endpoint: str) -> None:
    found = found_of(our_aws(), endpoint)
    assert [step.what.split()[0] for step in found] == [
        *("autoscaling", "endpoint", "configuration", "archive", "model", "archive", "model")
    ]
    remove(our_aws(), found, quiet, QUICK)
    assert account.holds() == NOTHING
    with pytest.raises(ParetoServeError, match="There is no endpoint 'sst2' in eu-west-1, and nothing else"):
        found_of(our_aws(), endpoint)


def test_looking_for_it_removes_nothing(account: Account, endpoint: str) -> None:
    before = account.holds()
    found_of(our_aws(), endpoint)
    assert account.holds() == before
    assert {name for name in account.asked if not name.startswith(("Describe", "List", "Head"))} == set()


@pytest.mark.parametrize(
    "gone",
    [
        lambda: client("sagemaker").delete_endpoint(EndpointName="sst2"),
        lambda: client("sagemaker").delete_endpoint_config(EndpointConfigName="sst2"),
        lambda: client("sagemaker").delete_model(ModelName="sst2-dense"),
    ],
    ids=["endpoint", "configuration", "model"],
)
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_where_a_part_is_gone_the_rest_is_removed(
    account: Account, endpoint: str, gone: Callable[[], object], when: str
) -> None:
    if when == "before":
        gone()
    found = found_of(our_aws(), endpoint)
    if when == "meanwhile":
        gone()
    remove(our_aws(), found, quiet, QUICK)
    left = account.holds()
    assert (left["endpoints"], left["configurations"], left["models"]) == ([], [], [])


def test_a_refusal_is_told_and_the_same_command_goes_on_later(account: Account, endpoint: str) -> None:
    for operation in (
        "DeregisterScalableTarget",
        "DeleteEndpoint",
        "DeleteEndpointConfig",
        "DeleteObject",
        "DeleteModel",
    ):
        account.answers[operation] = [refusal(operation)]
        found = found_of(our_aws(), endpoint)
        with pytest.raises(DeploymentError, match=f"AWS refused {operation}"):
            remove(our_aws(), found, quiet, QUICK)
    remove(our_aws(), found_of(our_aws(), endpoint), quiet, QUICK)
    assert account.holds() == NOTHING


def test_it_ends_when_the_endpoint_is_gone(account: Account, endpoint: str) -> None:
    found = found_of(our_aws(), endpoint)
    deleting = {"EndpointName": "sst2", "EndpointStatus": "Deleting"}
    account.answers["DescribeEndpoint"] = []
    called = Account.called
    told: list[str] = []

    def still_there(self: Account, operation: str, answer: object) -> object:
        if operation == "DescribeEndpoint" and self.asked.count(operation) < 3:
            self.asked.append(operation)
            return deleting
        return called(self, operation, answer)  # type: ignore[arg-type]

    account.asked.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Account, "called", still_there)
        remove(our_aws(), found, lambda words, share: told.append(words), QUICK)
    assert account.asked.count("DescribeEndpoint") == 4
    assert told[-1] == "endpoint 'sst2' is Deleting"


# What others made


def test_an_endpoint_of_others_is_refused(account: Account) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model(ModelName="sst2-a", ExecutionRoleArn=ROLE)
    one = {"VariantName": "a", "ModelName": "sst2-a", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="sst2", ProductionVariants=[one])
    sagemaker.create_endpoint(EndpointName="sst2", EndpointConfigName="sst2")
    with pytest.raises(ParetoServeError, match="was not made by paretoserve deploy: it lacks the tag"):
        found_of(our_aws(), "sst2")


def test_models_configurations_and_archives_of_others_stay(account: Account, endpoint: str) -> None:
    sagemaker, s3 = client("sagemaker"), client("s3")
    sagemaker.create_model(ModelName="sst2-theirs", ExecutionRoleArn=ROLE)
    tags = [{"Key": "paretoserve:endpoint", "Value": "other-sst2"}]
    sagemaker.create_model(ModelName="other-sst2-int8", ExecutionRoleArn=ROLE, Tags=tags)
    (key,) = (key for key in account.holds()["archives"] if "int8" in key)
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"theirs")
    sagemaker.delete_endpoint_config(EndpointConfigName="sst2")
    one = {"VariantName": "a", "ModelName": "sst2-theirs", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="sst2", ProductionVariants=[one])
    remove(our_aws(), found_of(our_aws(), endpoint), quiet, QUICK)
    assert account.holds() == {
        **NOTHING,
        "models": ["sst2-theirs", "other-sst2-int8"],
        "configurations": ["sst2"],
        "archives": [key],
    }
