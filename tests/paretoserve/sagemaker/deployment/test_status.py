"""What an endpoint says of itself."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.making import make
from paretoserve.sagemaker.deployment.status import described, status_lines, variants_table
from tests.paretoserve.sagemaker.deployment.account import (
    QUICK,
    Account,
    our_aws,
    planned,
    quiet,
    report_for,
)

NONE = "\N{EN DASH}"


def shown(found: dict[str, Any]) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(variants_table(our_aws(), found))
    return captured.get()


@pytest.fixture
def endpoint(account: Account, tmp_path: Path) -> str:
    report = report_for(tmp_path / "run", "int8@python", "dense@python")
    plan = planned(tmp_path, "int8", "dense", weights="9,1", autoscale=report, instances=2, max_instances=8)
    make(our_aws(), plan, quiet, QUICK)
    return "sst2"


def row(table: str, name: str) -> list[str]:
    (line,) = (line for line in table.splitlines() if name in line)
    return [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]


def test_weights_instances_and_scaling_are_shown(endpoint: str) -> None:
    table = shown(described(our_aws(), endpoint))
    name, weight, instances, between, target = row(table, "int8")
    assert (name, weight, instances, between) == ("int8", "9", "2", "2 and 8")
    assert float(target) == pytest.approx(3683, rel=0.01)


def test_changes_on_their_way_and_a_shadow_are_shown(endpoint: str) -> None:
    found = described(our_aws(), endpoint)
    found["ProductionVariants"] = [
        {"VariantName": "other", "CurrentWeight": 1.0, "DesiredWeight": 0.5, "DesiredInstanceCount": 3}
    ]
    found["ShadowProductionVariants"] = [{"VariantName": "nas", "CurrentInstanceCount": 1, "DesiredInstanceCount": 2}]
    table = shown(found)
    assert row(table, "other") == ["other", "1 → 0.5", "3", NONE, NONE]
    assert row(table, "nas") == ["nas (shadow)", NONE, "1 → 2", NONE, NONE]


def test_why_it_failed_and_what_it_scales_by_are_told(account: Account, endpoint: str) -> None:
    account.answers["DescribeEndpoint"] = [{"EndpointStatus": "Failed", "FailureReason": "no capacity"}]
    lines = list(status_lines(our_aws(), described(our_aws(), endpoint)))
    assert lines[:2] == ["sst2 in eu-west-1: Failed", "Reason: no capacity"]
    assert "run/report.json@sha256:" in lines[2]


def test_an_endpoint_that_is_not_there_is_told(account: Account) -> None:
    with pytest.raises(ParetoServeError, match="There is no endpoint 'none' in eu-west-1; look whether name"):
        described(our_aws(), "none")
