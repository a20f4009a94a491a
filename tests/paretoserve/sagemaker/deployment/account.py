"""An account of AWS as moto stands in for it, what lies in it, and calls of it that fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from docs.generate import DOCS
from loadtest.results.reading import read_report
from paretoserve.sagemaker.deployment.asked import Asked, deployment_of
from paretoserve.sagemaker.deployment.aws import Aws, connect
from paretoserve.sagemaker.deployment.making import Patience
from paretoserve.sagemaker.deployment.plan import Plan, plan_of
from tests.handlers.variants import write_code

REGION, BUCKET = "eu-west-1", "my-models"
IMAGE = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/paretoserve"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
QUICK = Patience(poll_s=0.0, timeout_s=60.0)

Answer = Callable[[], Any]


def quiet(words: str, share: float) -> None:
    """Progress that nobody watches."""
    assert 0 <= share <= 1


def environment(patch: pytest.MonkeyPatch) -> None:
    """Credentials that are none, and nothing of whoever runs the tests."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_SESSION_TOKEN"):
        patch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        patch.setenv(name, "/nonexistent")
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    patch.setenv("AWS_DEFAULT_REGION", REGION)


@lru_cache
def client(service: str) -> Any:
    """Made once: that takes as long as many calls."""
    return boto3.client(service, region_name=REGION)


@lru_cache
def our_aws() -> Aws:
    return connect()


@dataclass
class Account:
    """`asked` has all calls by their names, in their order."""

    asked: list[str] = field(default_factory=list)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    """What the next calls of a name get instead of moto's answer: an exception, or a change of that answer."""
    fails_at: tuple[int, BaseException] | None = None
    """Which call fails, counted from 0, and how."""

    def holds(self) -> dict[str, list[str]]:
        """Everything that deploy could have made."""
        sagemaker, scaling, s3 = map(client, ("sagemaker", "application-autoscaling", "s3"))
        models = [one["ModelName"] for one in sagemaker.list_models()["Models"]]
        configurations = [one["EndpointConfigName"] for one in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
        endpoints = [one["EndpointName"] for one in sagemaker.list_endpoints()["Endpoints"]]
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        objects = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {
            "models": models,
            "configurations": configurations,
            "endpoints": endpoints,
            "targets": [one["ResourceId"] for one in targets],
            "archives": [one["Key"] for one in objects],
        }

    def called(self, operation: str, answer: Answer) -> Any:
        place = len(self.asked)
        self.asked.append(operation)
        if self.fails_at and self.fails_at[0] == place:
            raise self.fails_at[1]
        waiting = self.answers.get(operation)
        instead = waiting.pop(0) if waiting else None
        if isinstance(instead, Exception):
            raise instead
        return answer() | (instead or {})


def refusal(
    operation: str, code: str = "AccessDeniedException", message: str = "not you", retries: int = 0
) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "RetryAttempts": retries,
                "RequestId": "",
                "HTTPStatusCode": 400,
                "HTTPHeaders": {},
                "HostId": "",
            },
        },
        operation,
    )


def no_answer() -> Exception:
    return ReadTimeoutError(endpoint_url="https://aws")


@contextmanager
def account_of_moto(patch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A new account with a bucket; calls of `account.holds()` are not counted among those it was asked."""
    environment(patch)
    account, call = Account(), vars(BaseClient)["_make_api_call"]

    def counted(client: Any, operation: str, arguments: Any) -> Any:
        return account.called(operation, lambda: call(client, operation, arguments))

    with mock_aws():
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        original = Aws.do

        def watched(*arguments: Any) -> Any:
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(BaseClient, "_make_api_call", counted)
                return original(*arguments)

        patch.setattr(Aws, "do", watched)
        yield account


def variant(folder: Path, name: str) -> Path:
    """A model of the user's own: nothing needs to be built for it, and it runs on no engine."""
    return write_code(folder / name, f"def model_fn(folder): return {name!r}")


def report_for(folder: Path, *names: str, candidate: str = "int8@onnxruntime") -> Path:
    """A folder with a real report, in which candidates of these names have the figures of one that was measured."""
    report = read_report(DOCS / "results" / "sst2-containers" / "report.json")
    (measured,) = (one for one in report.candidates if one.name == candidate)
    candidates = tuple(replace(measured, name=name) for name in names)
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(
        msgspec.json.encode(replace(report, candidates=candidates, queue_deadline_s=0.1))
    )
    return folder


def asked(folder: Path, *names: str, **options: Any) -> Asked:
    """What is asked for with variants of these names in a folder, with options that say something else."""
    usual = {
        "endpoint": "sst2",
        "image": f"{IMAGE}:own",
        "role": ROLE,
        "bucket": BUCKET,
        "instance_type": "ml.m5.large",
    }
    candidates = tuple(str(variant(folder, name)) for name in names or ("int8",))
    return Asked(**({"candidates": candidates} | usual | options))


def planned(folder: Path, *names: str, **options: Any) -> Plan:
    (work := folder / "work").mkdir()
    return plan_of(deployment_of(asked(folder, *names, **options), work))
