"""`paretoserve deploy` and `package --format sagemaker` as people type them."""

import json
import sys
from pathlib import Path

import pytest

from paretoserve import cli
from paretoserve.terminal import progress
from tests.paretoserve.sagemaker.deployment.account import (
    BUCKET,
    IMAGE,
    REGION,
    ROLE,
    Account,
    environment,
    refusal,
    variant,
)
from tests.paretoserve.sagemaker.deployment.conftest import account

__all__ = ["account"]

OPTIONS = ("--image", f"{IMAGE}:own", "--role", ROLE, "--bucket", BUCKET, "--instance-type", "ml.m5.large")


def typed(patch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of the command."""
    patch.setattr(sys, "argv", ["paretoserve", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def create(patch: pytest.MonkeyPatch, folder: Path, *options: str) -> int:
    return typed(patch, "deploy", "create", "sst2", str(variant(folder, "int8")), *OPTIONS, *options)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (progress.console, progress.errors):
        monkeypatch.setattr(one, "_width", 200)


def test_an_endpoint_is_made_shown_and_removed(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(monkeypatch, tmp_path) == 0
    shown = capsys.readouterr()
    assert f"sst2 in {REGION}: InService" in shown.out
    assert "Endpoint sst2: done" in shown.err
    assert typed(monkeypatch, "deploy", "status", "sst2", "--wait") == 0
    assert typed(monkeypatch, "deploy", "delete", "sst2", "--yes") == 0
    assert not any(account.holds().values())


def test_nothing_is_removed_before_a_yes(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(monkeypatch, tmp_path)
    before = account.holds()
    monkeypatch.setattr("typer.confirm", lambda text, abort: (_ for _ in ()).throw(KeyboardInterrupt))
    assert typed(monkeypatch, "deploy", "delete", "sst2") != 0
    assert account.holds() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("status", "none"), "There is no endpoint 'none' in eu-west-1"),
        (("delete", "none", "--yes"), "There is no endpoint 'none' in eu-west-1"),
        (("weights", "none", "a=1"), "There is no endpoint 'none' in eu-west-1"),
        (("weights", "none", "a"), "'a' is no weight"),
        (("weights", "a_b", "a=1"), "'a_b' is no name for SageMaker"),
        (("delete", "a_b"), "'a_b' is no name for SageMaker"),
        (("status", "none", "--region", "Ireland"), "'Ireland' is no region of AWS"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_exit_code_1(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str,
) -> None:
    assert typed(monkeypatch, "deploy", *words) == 1
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith("error: ")
    assert says in told
    assert "Traceback" not in told


def test_a_failure_on_the_way_is_told_and_nothing_remains(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account.answers["CreateEndpoint"] = [refusal("CreateEndpoint", "ResourceLimitExceeded", "no ml.m5.large is left")]
    assert create(monkeypatch, tmp_path) == 1
    told = capsys.readouterr().err
    assert "(ResourceLimitExceeded): no ml.m5.large is left. What had been made was removed." in told
    assert not any(account.holds().values())


def test_an_image_of_another_region_is_refused_before_the_first_call(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert create(monkeypatch, tmp_path) == 1
    assert "lies in eu-west-1 and the endpoint in us-east-1" in capsys.readouterr().err
    assert account.asked == []


def test_a_dry_run_prints_the_calls_and_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(monkeypatch)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    assert create(monkeypatch, tmp_path, "--dry-run", "--env", "HF_TOKEN=hush") == 0
    printed = capsys.readouterr().out
    assert [call["operation"] for call in json.loads(printed)] == [
        *("DescribeEndpoint", "DescribeEndpointConfig", "DescribeModel"),
        *("PutObject", "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "DescribeEndpoint"),
    ]
    assert "hush" not in printed
    assert typed(monkeypatch, "deploy", "weights", "sst2", "int8=9", "--dry-run") == 0
    assert [call["operation"] for call in json.loads(capsys.readouterr().out)] == [
        *("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities", "DescribeEndpoint")
    ]


def test_packaging_prints_the_archive_and_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "int8.tar.gz"
    words = ("package", str(variant(tmp_path, "int8")), "--format", "sagemaker", "--out", str(out))
    assert typed(monkeypatch, *words) == 0
    printed = capsys.readouterr().out
    assert f"Archive: {out}" in printed
    assert f"SHA-256: {out.with_name('int8.tar.gz.sha256').read_text().split()[0]}" in printed
