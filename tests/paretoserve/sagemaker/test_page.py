"""The page about SageMaker, followed from its first command to its last, with moto as AWS."""

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from docs.generate import DOCS
from tests.paretoserve.sagemaker.deployment.account import BUCKET, REGION, environment, report_for
from tests.shown import blocks
from tests.tiny import TEXTS, tiny_checkpoint

PAGE = DOCS / "sagemaker.md"

# What makes a command quick: a checkpoint this small never throttles at few users, so its report is replaced.
SHORTER = {
    "build": ("--backend", "onnxruntime"),
    "compare": ("--quick", "--users", "1,2", "--exact-levels", "--dwell", "1"),
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a reader stands at the top of the page: with a checkpoint, data, a bucket, and AWS."""
    tiny_checkpoint(tmp_path / "my-checkpoint")
    (tmp_path / "data").mkdir()
    rows = "sentence\tlabel\n" + "".join(f"{text}\t{i % 2}\n" for i, (text, _) in enumerate(TEXTS * 4))
    for split in ("dev.tsv", "train.tsv"):
        (tmp_path / "data" / split).write_text(rows)
    environment(monkeypatch)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    try:
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield tmp_path
    finally:
        server.stop()


def commands() -> list[list[str]]:
    shell = "".join(block.text for block in blocks(PAGE) if block.language == "sh").replace("\\\n", " ")
    return [shlex.split(line) for line in shell.splitlines()]


def run(words: list[str], folder: Path, **variables: str) -> str:
    if words[0] == "paretoserve":
        words = [sys.executable, "-m", *words, *SHORTER.get(words[1], ())]
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(DOCS.parent), **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sagemaker() -> Any:
    return boto3.client("sagemaker")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_leads_from_a_checkpoint_to_a_scaled_endpoint_and_back(workplace: Path) -> None:
    done = []
    for words in commands():
        printed = run(words, workplace, **without_aws(words))
        done.append(" ".join(words[:3]))
        if check := CHECKS.get(" ".join(words[:3])):
            check(workplace, words, printed)
    assert set(CHECKS) <= set(done), "each check was reached"


def without_aws(words: list[str]) -> dict[str, str]:
    """For a dry run there is neither AWS nor a key to it."""
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    return nothing if "--dry-run" in words else {}


def after_compare(folder: Path, words: list[str], printed: str) -> None:
    (folder / "runs" / "sst2").rename(folder / "runs" / "measured-too-quickly")
    report_for(folder / "runs" / "sst2", "int8@onnxruntime", "dense@onnxruntime")


def after_create(folder: Path, words: list[str], printed: str) -> None:
    if "--dry-run" in words:
        assert [call["operation"] for call in json.loads(printed)][-2:] == ["CreateEndpoint", "DescribeEndpoint"]
        assert sagemaker().list_models()["Models"] == []
        return
    assert "invocations a minute for each instance: 50% of the" in printed
    variants = sagemaker().describe_endpoint(EndpointName="sst2")["ProductionVariants"]
    assert {one["VariantName"]: one["DesiredWeight"] for one in variants} == {"int8": 9.0, "dense": 1.0}
    targets = boto3.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    assert [one["MaxCapacity"] for one in targets["ScalableTargets"]] == [4, 4]
    with redirect_stdout(io.StringIO()) as answered:
        for block in blocks(PAGE):
            if block.language == "python":
                exec(compile(block.text, PAGE.name, "exec"), {})  # noqa: S102  # the page's own
    assert answered.getvalue()


def after_status(folder: Path, words: list[str], printed: str) -> None:
    assert f"sst2 in {REGION}: InService" in printed
    assert "Scaled by: runs/sst2/report.json@sha256:" in printed
    assert "1 and 4" in printed


def after_weights(folder: Path, words: list[str], printed: str) -> None:
    variants = sagemaker().describe_endpoint(EndpointName="sst2")["ProductionVariants"]
    assert {one["VariantName"]: one["DesiredWeight"] for one in variants} == {"int8": 1.0, "dense": 1.0}


def after_delete(folder: Path, words: list[str], printed: str) -> None:
    assert "endpoint 'sst2'" in printed
    assert sagemaker().list_endpoints()["Endpoints"] == sagemaker().list_models()["Models"] == []
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=BUCKET)


CHECKS = {
    "paretoserve compare --store": after_compare,
    "paretoserve deploy create": after_create,
    "paretoserve deploy status": after_status,
    "paretoserve deploy weights": after_weights,
    "paretoserve deploy delete": after_delete,
}
